#include "VectorKernels.h"
#include "dispatch.h"

// F(4 × 4, 3 × 3) of Lavin & Gray 2016: 36 products a tile of 16 outputs in the place of 144. Channels are worked on 16 at a time.

enum { lanes = 16 };
typedef float lane[lanes];

// Bᵀ of six values, `step` lanes apart.
INLINE void input_pass(const lane *d, lane *v, size_t step) {
    for (size_t l = 0; l < lanes; l++) {
        float d0 = d[0][l], d1 = d[step][l], d2 = d[2 * step][l], d3 = d[3 * step][l], d4 = d[4 * step][l], d5 = d[5 * step][l];
        float a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);
        v[0][l] = 4 * d0 - 5 * d2 + d4;
        v[step][l] = a + b;
        v[2 * step][l] = a - b;
        v[3 * step][l] = c + e;
        v[4 * step][l] = c - e;
        v[5 * step][l] = 4 * d1 - 5 * d3 + d5;
    }
}

// Aᵀ: six values `step` lanes apart to four `target_step` apart.
INLINE void output_pass(const lane *m, size_t step, lane *y, size_t target_step) {
    for (size_t l = 0; l < lanes; l++) {
        float m1 = m[step][l], m2 = m[2 * step][l], m3 = m[3 * step][l], m4 = m[4 * step][l];
        float s = m1 + m2, d = m1 - m2, t = m3 + m4, e = m3 - m4;
        y[0][l] = m[0][l] + s + t;
        y[target_step][l] = d + 2 * e;
        y[2 * target_step][l] = s + 4 * t;
        y[3 * target_step][l] = d + 8 * e + m[5 * step][l];
    }
}

// A: four values to six, the transpose of the above.
INLINE void gradient_pass(const lane *y, size_t step, lane *m, size_t target_step) {
    for (size_t l = 0; l < lanes; l++) {
        float y0 = y[0][l], y1 = y[step][l], y2 = y[2 * step][l], y3 = y[3 * step][l];
        float even = y0 + y2, odd = y1 + y3, far_even = y0 + 4 * y2, far_odd = 2 * y1 + 8 * y3;
        m[0][l] = y0;
        m[target_step][l] = even + odd;
        m[2 * target_step][l] = even - odd;
        m[3 * target_step][l] = far_even + far_odd;
        m[4 * target_step][l] = far_even - far_odd;
        m[5 * target_step][l] = y3;
    }
}

// A window of `size` × `size` pixels from (y, x) on, zero beyond the image, `width` channels from `channel` on.
INLINE void load(const float *image, ptrdiff_t height, ptrdiff_t columns, size_t channels, ptrdiff_t y, ptrdiff_t x, ptrdiff_t size, size_t channel, size_t width, lane *d) {
    for (ptrdiff_t i = 0; i < size; i++)
        for (ptrdiff_t j = 0; j < size; j++) {
            float *target = d[i * size + j];
            if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= columns) {
                for (size_t l = 0; l < lanes; l++) target[l] = 0;
            } else {
                const float *source = image + ((size_t)(y + i) * (size_t)columns + (size_t)(x + j)) * channels + channel;
                if (width == lanes) for (size_t l = 0; l < lanes; l++) target[l] = source[l];
                else for (size_t l = 0; l < lanes; l++) target[l] = l < width ? source[l] : 0;
            }
        }
}

INLINE void store_planes(const lane *v, float *planes, size_t plane, size_t width) {
    for (size_t k = 0; k < 36; k++) {
        float *target = planes + k * plane;
        if (width == lanes) for (size_t l = 0; l < lanes; l++) target[l] = v[k][l];
        else for (size_t l = 0; l < width; l++) target[l] = v[k][l];
    }
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

DISPATCHED void winograd_output_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t tile_rows, size_t tile_columns,
                                         size_t first, size_t count, size_t plane_tiles, float *planes) {
    lane d[16], h[24], m[36];
    for (size_t tile = 0; tile < count; tile++) {
        size_t image = (first + tile) / (tile_rows * tile_columns), within = (first + tile) % (tile_rows * tile_columns);
        ptrdiff_t y = (ptrdiff_t)(within / tile_columns) * 4, xx = (ptrdiff_t)(within % tile_columns) * 4;
        const float *base = gradient + image * height * width * channels;
        for (size_t c = 0; c < channels; c += lanes) {
            size_t wide = channels - c < lanes ? channels - c : lanes;
            load(base, (ptrdiff_t)height, (ptrdiff_t)width, channels, y, xx, 4, c, wide, d);
            for (size_t j = 0; j < 4; j++) gradient_pass(d + j, 4, h + j, 4);
            for (size_t i = 0; i < 6; i++) gradient_pass(h + 4 * i, 1, m + 6 * i, 1);
            store_planes(m, planes + tile * channels + c, plane_tiles * channels, wide);
        }
    }
}

DISPATCHED void winograd_output(const float *planes, size_t height, size_t width, size_t channels, size_t tile_rows, size_t tile_columns, size_t first,
                                size_t count, size_t plane_tiles, const float *bias, float *out) {
    lane m[36], h[24], y[16];
    for (size_t tile = 0; tile < count; tile++) {
        size_t image = (first + tile) / (tile_rows * tile_columns), within = (first + tile) % (tile_rows * tile_columns);
        size_t top = within / tile_columns * 4, left = within % tile_columns * 4;
        size_t rows = height - top < 4 ? height - top : 4, columns = width - left < 4 ? width - left : 4;
        float *base = out + ((image * height + top) * width + left) * channels;
        for (size_t c = 0; c < channels; c += lanes) {
            size_t wide = channels - c < lanes ? channels - c : lanes;
            for (size_t k = 0; k < 36; k++) {
                const float *source = planes + (k * plane_tiles + tile) * channels + c;
                if (wide == lanes) for (size_t l = 0; l < lanes; l++) m[k][l] = source[l];
                else for (size_t l = 0; l < lanes; l++) m[k][l] = l < wide ? source[l] : 0;
            }
            for (size_t j = 0; j < 6; j++) output_pass(m + j, 6, h + j, 6);
            for (size_t i = 0; i < 4; i++) output_pass(h + 6 * i, 1, y + 4 * i, 1);
            lane offset;
            for (size_t l = 0; l < lanes; l++) offset[l] = bias && l < wide ? bias[c + l] : 0;
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++) {
                    float *target = base + (i * width + j) * channels + c;
                    if (wide == lanes) for (size_t l = 0; l < lanes; l++) target[l] = y[4 * i + j][l] + offset[l];
                    else for (size_t l = 0; l < wide; l++) target[l] = y[4 * i + j][l] + offset[l];
                }
        }
    }
}

// G of three values.
INLINE void weight_pass(float w0, float w1, float w2, float out[6]) {
    float even = (w0 + w2) * (1.0f / 6), far = w0 * (1.0f / 24) + w2 * (1.0f / 6), odd = w1 * (1.0f / 6), far_odd = w1 * (1.0f / 12);
    out[0] = w0 * 0.25f;
    out[1] = -even - odd;
    out[2] = odd - even;
    out[3] = far + far_odd;
    out[4] = far - far_odd;
    out[5] = w2;
}

DISPATCHED void winograd_weight(const float *weight, size_t count, size_t first, size_t part, int reversed, float *planes) {
    for (size_t start = first; start < first + part; start += lanes) {
        size_t wide = first + part - start < lanes ? first + part - start : lanes;
        lane in[9], half[18], out[36];
        for (size_t tap = 0; tap < 9; tap++) {
            const float *source = weight + (reversed ? 8 - tap : tap) * count + start;
            for (size_t l = 0; l < lanes; l++) in[tap][l] = l < wide ? source[l] : 0;
        }
        for (size_t b = 0; b < 3; b++)
            for (size_t l = 0; l < lanes; l++) {
                float column[6];
                weight_pass(in[b][l], in[3 + b][l], in[6 + b][l], column);
                for (size_t i = 0; i < 6; i++) half[3 * i + b][l] = column[i];
            }
        for (size_t i = 0; i < 6; i++)
            for (size_t l = 0; l < lanes; l++) {
                float row[6];
                weight_pass(half[3 * i][l], half[3 * i + 1][l], half[3 * i + 2][l], row);
                for (size_t j = 0; j < 6; j++) out[6 * i + j][l] = row[j];
            }
        store_planes(out, planes + start, count, wide);
    }
}

// Gᵀ of six values.
INLINE void weight_gradient_pass(const float m[6], float *w0, float *w1, float *w2) {
    float s = m[1] + m[2], d = m[2] - m[1], t = m[3] + m[4], e = m[3] - m[4];
    *w0 = m[0] * 0.25f - s * (1.0f / 6) + t * (1.0f / 24);
    *w1 = d * (1.0f / 6) + e * (1.0f / 12);
    *w2 = m[5] - s * (1.0f / 6) + t * (1.0f / 6);
}

DISPATCHED void winograd_weight_gradient(const float *planes, size_t count, size_t first, size_t part, float *gradient) {
    for (size_t start = first; start < first + part; start += lanes) {
        size_t wide = first + part - start < lanes ? first + part - start : lanes;
        lane in[36], half[18], out[9];
        for (size_t k = 0; k < 36; k++)
            for (size_t l = 0; l < lanes; l++) in[k][l] = l < wide ? planes[k * count + start + l] : 0;
        for (size_t j = 0; j < 6; j++)
            for (size_t l = 0; l < lanes; l++) {
                float column[6];
                for (size_t i = 0; i < 6; i++) column[i] = in[6 * i + j][l];
                weight_gradient_pass(column, &half[j][l], &half[6 + j][l], &half[12 + j][l]);
            }
        for (size_t a = 0; a < 3; a++)
            for (size_t l = 0; l < lanes; l++) {
                float row[6];
                for (size_t j = 0; j < 6; j++) row[j] = half[6 * a + j][l];
                weight_gradient_pass(row, &out[3 * a][l], &out[3 * a + 1][l], &out[3 * a + 2][l]);
            }
        for (size_t tap = 0; tap < 9; tap++)
            for (size_t l = 0; l < wide; l++) gradient[tap * count + start + l] = out[tap][l];
    }
}
