#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

// F(4 × 4, 3 × 3) of Lavin & Gray 2016: 36 products a tile of 16 outputs in the place of 144. Channels are worked on 16 at a time.

enum { lanes = 16 };
typedef float lane __attribute__((vector_size(4 * lanes)));

// The first `width` of 16 values, zero beyond.
INLINE void load_lane(const float *source, size_t width, lane *target) {
    if (width == lanes) memcpy(target, source, sizeof(lane));
    else {
        *target = (lane){0};
        for (size_t l = 0; l < width; l++) (*target)[l] = source[l];
    }
}

INLINE void store_lane(const lane *source, size_t width, float *target) {
    if (width == lanes) memcpy(target, source, sizeof(lane));
    else for (size_t l = 0; l < width; l++) target[l] = (*source)[l];
}

// Bᵀ of six values, `step` lanes apart.
INLINE void input_pass(const lane *d, lane *v, size_t step) {
    lane d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    lane a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);
    v[0] = 4 * d0 - 5 * d2 + d4;
    v[step] = a + b;
    v[2 * step] = a - b;
    v[3 * step] = c + e;
    v[4 * step] = c - e;
    v[5 * step] = 4 * d1 - 5 * d3 + d5;
}

// Aᵀ: six values `step` lanes apart to four `target_step` apart.
INLINE void output_pass(const lane *m, size_t step, lane *y, size_t target_step) {
    lane s = m[step] + m[2 * step], d = m[step] - m[2 * step], t = m[3 * step] + m[4 * step], e = m[3 * step] - m[4 * step];
    y[0] = m[0] + s + t;
    y[target_step] = d + 2 * e;
    y[2 * target_step] = s + 4 * t;
    y[3 * target_step] = d + 8 * e + m[5 * step];
}

// A: four values to six, the transpose of the above.
INLINE void gradient_pass(const lane *y, size_t step, lane *m, size_t target_step) {
    lane y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    lane even = y0 + y2, odd = y1 + y3, far_even = y0 + 4 * y2, far_odd = 2 * y1 + 8 * y3;
    m[0] = y0;
    m[target_step] = even + odd;
    m[2 * target_step] = even - odd;
    m[3 * target_step] = far_even + far_odd;
    m[4 * target_step] = far_even - far_odd;
    m[5 * target_step] = y3;
}

// G of three values `step` lanes apart to six `target_step` apart.
INLINE void weight_pass(const lane *w, size_t step, lane *v, size_t target_step) {
    lane even = (w[0] + w[2 * step]) * (1.0f / 6), far = w[0] * (1.0f / 24) + w[2 * step] * (1.0f / 6);
    lane odd = w[step] * (1.0f / 6), far_odd = w[step] * (1.0f / 12);
    v[0] = w[0] * 0.25f;
    v[target_step] = -even - odd;
    v[2 * target_step] = odd - even;
    v[3 * target_step] = far + far_odd;
    v[4 * target_step] = far - far_odd;
    v[5 * target_step] = w[2 * step];
}

// Gᵀ: six values to three, the transpose of the above.
INLINE void weight_gradient_pass(const lane *m, size_t step, lane *w, size_t target_step) {
    lane s = m[step] + m[2 * step], d = m[2 * step] - m[step], t = m[3 * step] + m[4 * step], e = m[3 * step] - m[4 * step];
    w[0] = m[0] * 0.25f - s * (1.0f / 6) + t * (1.0f / 24);
    w[target_step] = d * (1.0f / 6) + e * (1.0f / 12);
    w[2 * target_step] = m[5 * step] - s * (1.0f / 6) + t * (1.0f / 6);
}

// A window of `size` × `size` pixels from (y, x) on, zero beyond the image, `width` channels from `channel` on.
INLINE void load(const float *image, ptrdiff_t height, ptrdiff_t columns, size_t channels, ptrdiff_t y, ptrdiff_t x, ptrdiff_t size, size_t channel, size_t width, lane *d) {
    for (ptrdiff_t i = 0; i < size; i++)
        for (ptrdiff_t j = 0; j < size; j++) {
            if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= columns) d[i * size + j] = (lane){0};
            else load_lane(image + ((size_t)(y + i) * (size_t)columns + (size_t)(x + j)) * channels + channel, width, d + i * size + j);
        }
}

INLINE void store_planes(const lane *v, float *planes, size_t plane, size_t width) {
    for (size_t k = 0; k < 36; k++) store_lane(v + k, width, planes + k * plane);
}

DISPATCHED void winograd_input(const float *x, size_t height, size_t width, size_t channels, size_t tile_rows, size_t tile_columns, size_t first, size_t count,
                               ptrdiff_t padding_top, ptrdiff_t padding_left, size_t plane_tiles, float *planes) {
    lane d[36], v[36];
    for (size_t tile = 0; tile < count; tile++) {
        size_t image = (first + tile) / (tile_rows * tile_columns), within = (first + tile) % (tile_rows * tile_columns);
        ptrdiff_t y = (ptrdiff_t)(within / tile_columns) * 4 - padding_top, xx = (ptrdiff_t)(within % tile_columns) * 4 - padding_left;
        const float *base = x + image * height * width * channels;
        for (size_t c = 0; c < channels; c += lanes) {
            size_t wide = channels - c < lanes ? channels - c : lanes;
            load(base, (ptrdiff_t)height, (ptrdiff_t)width, channels, y, xx, 6, c, wide, d);
            for (size_t j = 0; j < 6; j++) input_pass(d + j, v + j, 6);
            for (size_t i = 0; i < 6; i++) input_pass(v + 6 * i, v + 6 * i, 1);
            store_planes(v, planes + tile * channels + c, plane_tiles * channels, wide);
        }
    }
}

// `planes` is [36, panels, count, width], `plane` apart.
DISPATCHED void winograd_output_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t tile_rows, size_t tile_columns,
                                         size_t first, size_t count, size_t panel_tiles, size_t panel_width, size_t plane, float *planes) {
    lane d[16], h[24], m[36];
    size_t filled = (channels + panel_width - 1) / panel_width * panel_width;
    for (size_t tile = 0; tile < count; tile++) {
        size_t image = (first + tile) / (tile_rows * tile_columns), within = (first + tile) % (tile_rows * tile_columns);
        ptrdiff_t y = (ptrdiff_t)(within / tile_columns) * 4, xx = (ptrdiff_t)(within % tile_columns) * 4;
        const float *base = gradient + image * height * width * channels;
        for (size_t c = 0; c < filled; c += lanes) {
            float *target = planes + c / panel_width * panel_tiles * panel_width + tile * panel_width + c % panel_width;
            if (c < channels) {
                size_t wide = channels - c < lanes ? channels - c : lanes;
                load(base, (ptrdiff_t)height, (ptrdiff_t)width, channels, y, xx, 4, c, wide, d);
                for (size_t j = 0; j < 4; j++) gradient_pass(d + j, 4, h + j, 4);
                for (size_t i = 0; i < 6; i++) gradient_pass(h + 4 * i, 1, m + 6 * i, 1);
            } else {
                memset(m, 0, sizeof m);
            }
            store_planes(m, target, plane, lanes);
        }
    }
}

DISPATCHED void winograd_output(const float *planes, size_t height, size_t width, size_t channels, size_t tile_rows, size_t tile_columns, size_t first,
                                size_t count, size_t plane_tiles, const float *bias, const float *residual, float *out) {
    lane m[36], h[24], y[16];
    for (size_t tile = 0; tile < count; tile++) {
        size_t image = (first + tile) / (tile_rows * tile_columns), within = (first + tile) % (tile_rows * tile_columns);
        size_t top = within / tile_columns * 4, left = within % tile_columns * 4;
        size_t rows = height - top < 4 ? height - top : 4, columns = width - left < 4 ? width - left : 4;
        size_t base = ((image * height + top) * width + left) * channels;
        for (size_t c = 0; c < channels; c += lanes) {
            size_t wide = channels - c < lanes ? channels - c : lanes;
            for (size_t k = 0; k < 36; k++) load_lane(planes + (k * plane_tiles + tile) * channels + c, wide, m + k);
            for (size_t j = 0; j < 6; j++) output_pass(m + j, 6, h + j, 6);
            for (size_t i = 0; i < 4; i++) output_pass(h + 6 * i, 1, y + 4 * i, 1);
            lane offset = {0};
            if (bias) load_lane(bias + c, wide, &offset);
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++) {
                    size_t place = base + (i * width + j) * channels + c;
                    lane value = y[4 * i + j] + offset;
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

#define SWAP_HALVES(STEP, LOW, HIGH)                                                                                                                \
    for (size_t i = 0; i < lanes; i++)                                                                                                              \
        if (!(i & STEP)) {                                                                                                                          \
            lane a = rows[i], b = rows[i + STEP];                                                                                                   \
            rows[i] = LOW, rows[i + STEP] = HIGH;                                                                                                   \
        }

// Rows become columns.
INLINE void transpose(lane rows[lanes]) {
    SWAP_HALVES(8, __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
                __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    SWAP_HALVES(4, __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
                __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    SWAP_HALVES(2, __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    SWAP_HALVES(1, __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
                __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
}

INLINE void transformed_weight(const lane in[9], lane out[36]) {
    lane half[18];
    for (size_t j = 0; j < 3; j++) weight_pass(in + j, 3, half + j, 3);
    for (size_t i = 0; i < 6; i++) weight_pass(half + 3 * i, 1, out + 6 * i, 1);
}

DISPATCHED void winograd_weight(const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t panel_width, float *planes) {
    size_t filled = (outputs + panel_width - 1) / panel_width * panel_width;
    lane in[9], out[36];
    for (size_t i = first; i < first + count; i++)
        for (size_t o = 0; o < filled; o += lanes) {
            if (o < outputs) {
                size_t wide = outputs - o < lanes ? outputs - o : lanes;
                for (size_t tap = 0; tap < 9; tap++) load_lane(weight + (tap * inputs + i) * outputs + o, wide, in + tap);
                transformed_weight(in, out);
            } else {
                memset(out, 0, sizeof out);
            }
            store_planes(out, planes + o / panel_width * inputs * panel_width + i * panel_width + o % panel_width, filled * inputs, lanes);
        }
}

DISPATCHED void winograd_reversed_weight(const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t panel_width, float *planes) {
    size_t filled = (inputs + panel_width - 1) / panel_width * panel_width;
    lane blocks[9][lanes], in[9], out[36];
    for (size_t o = first; o < first + count; o += lanes) {
        size_t wide = first + count - o < lanes ? first + count - o : lanes;
        for (size_t i = 0; i < filled; i += lanes) {
            for (size_t tap = 0; tap < 9; tap++) {
                for (size_t l = 0; l < lanes; l++) {
                    if (i + l < inputs) load_lane(weight + ((8 - tap) * inputs + i + l) * outputs + o, wide, blocks[tap] + l);
                    else blocks[tap][l] = (lane){0};
                }
                transpose(blocks[tap]);
            }
            for (size_t l = 0; l < wide; l++) {
                for (size_t tap = 0; tap < 9; tap++) in[tap] = blocks[tap][l];
                transformed_weight(in, out);
                store_planes(out, planes + i / panel_width * outputs * panel_width + (o + l) * panel_width + i % panel_width, filled * outputs, lanes);
            }
        }
    }
}

DISPATCHED void winograd_weight_gradient(const float *planes, size_t count, size_t first, size_t part, float *gradient) {
    for (size_t start = first; start < first + part; start += lanes) {
        size_t wide = first + part - start < lanes ? first + part - start : lanes;
        lane in[36], half[18], out[9];
        for (size_t k = 0; k < 36; k++) load_lane(planes + k * count + start, wide, in + k);
        for (size_t j = 0; j < 6; j++) weight_gradient_pass(in + j, 6, half + j, 6);
        for (size_t i = 0; i < 3; i++) weight_gradient_pass(half + 6 * i, 1, out + 3 * i, 1);
        for (size_t tap = 0; tap < 9; tap++) store_lane(out + tap, wide, gradient + tap * count + start);
    }
}
