#include "VectorKernels.h"
#include "dispatch.h"
#include "lanes.h"
#include <string.h>

// F(m × m, 3 × 3) of Lavin & Gray 2016 for tiles of m = 4 outputs a side, 36 products in the place of 144, and of m = 2, 16 in the place of 36. Channels are worked
// on 16 at a time.

// The products of a tile's side, and the most of a tile.
#define SIDE(M) ((M) + 2)
enum { most = 36 };

// Bᵀ of SIDE(m) values, to as many `step` lanes apart.
INLINE void input_pass(size_t m, const lane *d, lane *v, size_t step) {
    if (m == 2) {
        v[0] = d[0] - d[2];
        v[step] = d[1] + d[2];
        v[2 * step] = d[2] - d[1];
        v[3 * step] = d[1] - d[3];
        return;
    }
    lane a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[step] = a + b;
    v[2 * step] = a - b;
    v[3 * step] = c + e;
    v[4 * step] = c - e;
    v[5 * step] = 4 * d[1] - 5 * d[3] + d[5];
}

// Aᵀ: SIDE(m) values to m `step` lanes apart.
INLINE void output_pass(size_t m, const lane *p, lane *y, size_t step) {
    lane s = p[1] + p[2], d = p[1] - p[2];
    if (m == 2) {
        y[0] = p[0] + s;
        y[step] = d - p[3];
        return;
    }
    lane t = p[3] + p[4], e = p[3] - p[4];
    y[0] = p[0] + s + t;
    y[step] = d + 2 * e;
    y[2 * step] = s + 4 * t;
    y[3 * step] = d + 8 * e + p[5];
}

// A: m values to SIDE(m) `step` lanes apart, the transpose of the above.
INLINE void gradient_pass(size_t m, const lane *y, lane *p, size_t step) {
    p[0] = y[0];
    if (m == 2) {
        p[step] = y[0] + y[1];
        p[2 * step] = y[0] - y[1];
        p[3 * step] = -y[1];
        return;
    }
    lane even = y[0] + y[2], odd = y[1] + y[3], far_even = y[0] + 4 * y[2], far_odd = 2 * y[1] + 8 * y[3];
    p[step] = even + odd;
    p[2 * step] = even - odd;
    p[3 * step] = far_even + far_odd;
    p[4 * step] = far_even - far_odd;
    p[5 * step] = y[3];
}

// G of three values `step` lanes apart to SIDE(m) `target_step` apart.
INLINE void weight_pass(size_t m, const lane *w, size_t step, lane *v, size_t target_step) {
    lane w0 = w[0], w1 = w[step], w2 = w[2 * step];
    if (m == 2) {
        lane even = (w0 + w2) * 0.5f, odd = w1 * 0.5f;
        v[0] = w0;
        v[target_step] = even + odd;
        v[2 * target_step] = even - odd;
        v[3 * target_step] = w2;
        return;
    }
    lane even = (w0 + w2) * (1.0f / 6), far = w0 * (1.0f / 24) + w2 * (1.0f / 6);
    lane odd = w1 * (1.0f / 6), far_odd = w1 * (1.0f / 12);
    v[0] = w0 * 0.25f;
    v[target_step] = -even - odd;
    v[2 * target_step] = odd - even;
    v[3 * target_step] = far + far_odd;
    v[4 * target_step] = far - far_odd;
    v[5 * target_step] = w2;
}

// Gᵀ: SIDE(m) values to three, the transpose of the above.
INLINE void weight_gradient_pass(size_t m, const lane *p, size_t step, lane *w, size_t target_step) {
    if (m == 2) {
        lane s = (p[step] + p[2 * step]) * 0.5f;
        w[0] = p[0] + s;
        w[target_step] = (p[step] - p[2 * step]) * 0.5f;
        w[2 * target_step] = s + p[3 * step];
        return;
    }
    lane s = p[step] + p[2 * step], d = p[2 * step] - p[step], t = p[3 * step] + p[4 * step], e = p[3 * step] - p[4 * step];
    w[0] = p[0] * 0.25f - s * (1.0f / 6) + t * (1.0f / 24);
    w[target_step] = d * (1.0f / 6) + e * (1.0f / 12);
    w[2 * target_step] = p[5 * step] - s * (1.0f / 6) + t * (1.0f / 6);
}

// Pixels of which a pass takes a column at a time: where the first is, and how far it is to the one below and the one beside it.
struct window {
    const float *first;
    size_t below, beside;
};

// A window of `size` × `size` pixels from (y, x) on, zero beyond the image, `width` channels from `channel` on: where it stands if it can be read there, else
// copied to `room`.
INLINE struct window window_at(const float *image, ptrdiff_t height, ptrdiff_t columns, size_t channels, ptrdiff_t y, ptrdiff_t x, ptrdiff_t size, size_t channel,
                               size_t width, lane *room) {
    if (width == lanes && y >= 0 && x >= 0 && y + size <= height && x + size <= columns)
        return (struct window){image + (size_t)(y * columns + x) * channels + channel, (size_t)columns * channels, channels};
    for (ptrdiff_t i = 0; i < size; i++)
        for (ptrdiff_t j = 0; j < size; j++) {
            if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= columns) room[i * size + j] = (lane){0};
            else load_lane(image + ((size_t)(y + i) * (size_t)columns + (size_t)(x + j)) * channels + channel, width, room + i * size + j);
        }
    return (struct window){(const float *)room, (size_t)size * lanes, lanes};
}

INLINE void load_column(const struct window *w, size_t column, size_t size, lane *d) {
    for (size_t i = 0; i < size; i++) memcpy(d + i, w->first + i * w->below + column * w->beside, sizeof(lane));
}

INLINE void store_planes(size_t m, const lane *v, float *planes, size_t plane, size_t width) {
    for (size_t k = 0; k < SIDE(m) * SIDE(m); k++) store_lane(v + k, width, planes + k * plane);
}

// Where a tile's first output stands, over all images.
struct place {
    size_t image, top, left;
};

INLINE struct place place_of(const struct winograd_tiles *t, size_t m, size_t tile) {
    size_t within = tile % (t->rows * t->columns);
    return (struct place){tile / (t->rows * t->columns), within / t->columns * m, within % t->columns * m};
}

INLINE void input_of(size_t m, const struct winograd_tiles *t, const float *x, size_t first, size_t count, ptrdiff_t padding_top, ptrdiff_t padding_left,
                     size_t plane_tiles, float *planes) {
    lane room[most], v[most], side[SIDE(4)];
    for (size_t tile = 0; tile < count; tile++) {
        struct place at = place_of(t, m, first + tile);
        const float *base = x + at.image * t->height * t->width * t->channels;
        for (size_t c = 0; c < t->channels; c += lanes) {
            size_t wide = t->channels - c < lanes ? t->channels - c : lanes;
            struct window window = window_at(base, (ptrdiff_t)t->height, (ptrdiff_t)t->width, t->channels, (ptrdiff_t)at.top - padding_top,
                                             (ptrdiff_t)at.left - padding_left, (ptrdiff_t)SIDE(m), c, wide, room);
            float *target = planes + tile * t->channels + c;
            for (size_t j = 0; j < SIDE(m); j++) {
                load_column(&window, j, SIDE(m), side);
                input_pass(m, side, v + j, SIDE(m));
            }
            for (size_t i = 0; i < SIDE(m); i++) {
                input_pass(m, v + SIDE(m) * i, side, 1);
                for (size_t j = 0; j < SIDE(m); j++) store_lane(side + j, wide, target + (SIDE(m) * i + j) * plane_tiles * t->channels);
            }
        }
    }
}

DISPATCHED void winograd_input(const struct winograd_tiles *t, const float *x, size_t first, size_t count, ptrdiff_t padding_top, ptrdiff_t padding_left,
                               size_t plane_tiles, float *planes) {
    if (t->m == 2) input_of(2, t, x, first, count, padding_top, padding_left, plane_tiles, planes);
    else input_of(4, t, x, first, count, padding_top, padding_left, plane_tiles, planes);
}

INLINE void output_gradient_of(size_t m, const struct winograd_tiles *t, const float *gradient, size_t first, size_t count, size_t panel_tiles,
                               size_t panel_width, size_t plane, float *planes) {
    lane room[16], h[24], side[SIDE(4)];
    size_t filled = (t->channels + panel_width - 1) / panel_width * panel_width;
    for (size_t tile = 0; tile < count; tile++) {
        struct place at = place_of(t, m, first + tile);
        const float *base = gradient + at.image * t->height * t->width * t->channels;
        for (size_t c = 0; c < filled; c += lanes) {
            float *target = planes + c / panel_width * panel_tiles * panel_width + tile * panel_width + c % panel_width;
            if (c >= t->channels) {
                for (size_t k = 0; k < SIDE(m) * SIDE(m); k++) memset(target + k * plane, 0, sizeof(lane));
                continue;
            }
            size_t wide = t->channels - c < lanes ? t->channels - c : lanes;
            struct window window = window_at(base, (ptrdiff_t)t->height, (ptrdiff_t)t->width, t->channels, (ptrdiff_t)at.top, (ptrdiff_t)at.left, (ptrdiff_t)m, c,
                                             wide, room);
            for (size_t j = 0; j < m; j++) {
                load_column(&window, j, m, side);
                gradient_pass(m, side, h + j, m);
            }
            for (size_t i = 0; i < SIDE(m); i++) {
                gradient_pass(m, h + m * i, side, 1);
                for (size_t j = 0; j < SIDE(m); j++) store_lane(side + j, lanes, target + (SIDE(m) * i + j) * plane);
            }
        }
    }
}

DISPATCHED void winograd_output_gradient(const struct winograd_tiles *t, const float *gradient, size_t first, size_t count, size_t panel_tiles,
                                         size_t panel_width, size_t plane, float *planes) {
    if (t->m == 2) output_gradient_of(2, t, gradient, first, count, panel_tiles, panel_width, plane, planes);
    else output_gradient_of(4, t, gradient, first, count, panel_tiles, panel_width, plane, planes);
}

INLINE void output_of(size_t m, const struct winograd_tiles *t, const float *planes, size_t first, size_t count, size_t plane_tiles, const float *bias,
                      const float *residual, float *out) {
    lane h[24], side[SIDE(4)];
    for (size_t tile = 0; tile < count; tile++) {
        struct place at = place_of(t, m, first + tile);
        size_t rows = t->height - at.top < m ? t->height - at.top : m, columns = t->width - at.left < m ? t->width - at.left : m;
        size_t base = ((at.image * t->height + at.top) * t->width + at.left) * t->channels;
        for (size_t c = 0; c < t->channels; c += lanes) {
            size_t wide = t->channels - c < lanes ? t->channels - c : lanes;
            for (size_t j = 0; j < SIDE(m); j++) {
                for (size_t i = 0; i < SIDE(m); i++) load_lane(planes + ((SIDE(m) * i + j) * plane_tiles + tile) * t->channels + c, wide, side + i);
                output_pass(m, side, h + j, SIDE(m));
            }
            lane offset = {0};
            if (bias) load_lane(bias + c, wide, &offset);
            for (size_t i = 0; i < rows; i++) {
                output_pass(m, h + SIDE(m) * i, side, 1);
                for (size_t j = 0; j < columns; j++) {
                    size_t place = base + (i * t->width + j) * t->channels + c;
                    lane value = side[j] + offset;
                    if (residual) {
                        lane other;
                        load_lane(residual + place, wide, &other);
                        value += other;
                    }
                    store_lane(&value, wide, out + place);
                }
            }
        }
    }
}

DISPATCHED void winograd_output(const struct winograd_tiles *t, const float *planes, size_t first, size_t count, size_t plane_tiles, const float *bias,
                                const float *residual, float *out) {
    if (t->m == 2) output_of(2, t, planes, first, count, plane_tiles, bias, residual, out);
    else output_of(4, t, planes, first, count, plane_tiles, bias, residual, out);
}

INLINE void transformed_weight(size_t m, const lane in[9], lane *out) {
    lane half[18];
    for (size_t j = 0; j < 3; j++) weight_pass(m, in + j, 3, half + j, 3);
    for (size_t i = 0; i < SIDE(m); i++) weight_pass(m, half + 3 * i, 1, out + SIDE(m) * i, 1);
}

INLINE void weight_of(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column, size_t columns,
                      size_t panel_width, size_t depth, size_t plane, float *planes) {
    size_t filled = (columns + panel_width - 1) / panel_width * panel_width;
    lane in[9], out[most];
    for (size_t i = 0; i < count; i++)
        for (size_t o = 0; o < filled; o += lanes) {
            if (o < columns) {
                size_t wide = columns - o < lanes ? columns - o : lanes;
                for (size_t tap = 0; tap < 9; tap++) load_lane(weight + (tap * inputs + first + i) * outputs + column + o, wide, in + tap);
                transformed_weight(m, in, out);
            } else {
                memset(out, 0, sizeof out);
            }
            store_planes(m, out, planes + (o / panel_width * depth + i) * panel_width + o % panel_width, plane, lanes);
        }
}

DISPATCHED void winograd_weight(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column, size_t columns,
                                size_t panel_width, size_t depth, size_t plane, float *planes) {
    if (m == 2) weight_of(2, weight, inputs, outputs, first, count, column, columns, panel_width, depth, plane, planes);
    else weight_of(4, weight, inputs, outputs, first, count, column, columns, panel_width, depth, plane, planes);
}

INLINE void reversed_weight_of(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column, size_t columns,
                               size_t panel_width, size_t depth, size_t plane, float *planes) {
    size_t filled = (columns + panel_width - 1) / panel_width * panel_width;
    lane blocks[9][lanes], in[9], out[most];
    for (size_t o = 0; o < count; o += lanes) {
        size_t wide = count - o < lanes ? count - o : lanes;
        for (size_t i = 0; i < filled; i += lanes) {
            for (size_t tap = 0; tap < 9; tap++) {
                for (size_t l = 0; l < lanes; l++) {
                    if (i + l < columns) load_lane(weight + ((8 - tap) * inputs + column + i + l) * outputs + first + o, wide, blocks[tap] + l);
                    else blocks[tap][l] = (lane){0};
                }
                transpose(blocks[tap]);
            }
            for (size_t l = 0; l < wide; l++) {
                for (size_t tap = 0; tap < 9; tap++) in[tap] = blocks[tap][l];
                transformed_weight(m, in, out);
                store_planes(m, out, planes + (i / panel_width * depth + o + l) * panel_width + i % panel_width, plane, lanes);
            }
        }
    }
}

DISPATCHED void winograd_reversed_weight(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column,
                                         size_t columns, size_t panel_width, size_t depth, size_t plane, float *planes) {
    if (m == 2) reversed_weight_of(2, weight, inputs, outputs, first, count, column, columns, panel_width, depth, plane, planes);
    else reversed_weight_of(4, weight, inputs, outputs, first, count, column, columns, panel_width, depth, plane, planes);
}

INLINE void weight_gradient_of(size_t m, size_t rows, size_t columns, const float *planes, size_t stride, size_t plane, float *gradient,
                               size_t gradient_stride, size_t tap_size) {
    for (size_t row = 0; row < rows; row++)
        for (size_t start = 0; start < columns; start += lanes) {
            size_t wide = columns - start < lanes ? columns - start : lanes;
            lane in[most], half[18], out[9];
            for (size_t k = 0; k < SIDE(m) * SIDE(m); k++) load_lane(planes + k * plane + row * stride + start, wide, in + k);
            for (size_t j = 0; j < SIDE(m); j++) weight_gradient_pass(m, in + j, SIDE(m), half + j, SIDE(m));
            for (size_t i = 0; i < 3; i++) weight_gradient_pass(m, half + SIDE(m) * i, 1, out + 3 * i, 1);
            for (size_t tap = 0; tap < 9; tap++) store_lane(out + tap, wide, gradient + tap * tap_size + row * gradient_stride + start);
        }
}

DISPATCHED void winograd_weight_gradient(size_t m, size_t rows, size_t columns, const float *planes, size_t stride, size_t plane, float *gradient,
                                         size_t gradient_stride, size_t tap_size) {
    if (m == 2) weight_gradient_of(2, rows, columns, planes, stride, plane, gradient, gradient_stride, tap_size);
    else weight_gradient_of(4, rows, columns, planes, stride, plane, gradient, gradient_stride, tap_size);
}
