#include "VectorKernels.h"
#include "dispatch.h"
#include "lanes.h"
#include <string.h>

void image_gather_patches(const float *source, size_t source_height, size_t source_width, size_t channels, size_t output_height, size_t output_width,
                          size_t first, size_t count, size_t kernel_height, size_t kernel_width, size_t stride, ptrdiff_t padding_top, ptrdiff_t padding_left,
                          int transposed, float *restrict patches) {
    ptrdiff_t height = (ptrdiff_t)source_height, width = (ptrdiff_t)source_width, step = (ptrdiff_t)stride;
    size_t run = kernel_width * channels;
    for (size_t pixel = first; pixel < first + count; pixel++) {
        size_t image = pixel / (output_height * output_width), within = pixel % (output_height * output_width);
        ptrdiff_t oy = (ptrdiff_t)(within / output_width), ox = (ptrdiff_t)(within % output_width);
        const float *base = source + image * source_height * source_width * channels;
        for (ptrdiff_t ky = 0; ky < (ptrdiff_t)kernel_height; ky++, patches += run) {
            ptrdiff_t y = transposed ? oy + padding_top - ky : oy * step + ky - padding_top;
            if (y < 0 || y >= height) {
                memset(patches, 0, run * sizeof(float));
                continue;
            }
            const float *row = base + y * width * (ptrdiff_t)channels;
            ptrdiff_t x0 = ox * step - padding_left;
            if (!transposed && x0 >= 0 && x0 + (ptrdiff_t)kernel_width <= width) {
                memcpy(patches, row + x0 * (ptrdiff_t)channels, run * sizeof(float));
                continue;
            }
            for (ptrdiff_t kx = 0; kx < (ptrdiff_t)kernel_width; kx++) {
                ptrdiff_t x = transposed ? ox + padding_left - kx : x0 + kx;
                float *target = patches + (size_t)kx * channels;
                if (x < 0 || x >= width) memset(target, 0, channels * sizeof(float));
                else memcpy(target, row + x * (ptrdiff_t)channels, channels * sizeof(float));
            }
        }
    }
}

DISPATCHED void image_sum_patches(const float *patches, size_t output_height, size_t output_width, size_t height, size_t width, size_t channels,
                                  size_t first, size_t count, size_t kernel_height, size_t kernel_width, size_t stride, ptrdiff_t padding_top,
                                  ptrdiff_t padding_left, float *restrict out) {
    ptrdiff_t step = (ptrdiff_t)stride;
    size_t patch = kernel_height * kernel_width * channels;
    for (size_t row = first; row < first + count; row++) {
        const float *base = patches + row / height * output_height * output_width * patch;
        ptrdiff_t y = (ptrdiff_t)(row % height) + padding_top;
        for (size_t j = 0; j < width; j++, out += channels) {
            ptrdiff_t x = (ptrdiff_t)j + padding_left;
            for (size_t c = 0; c < channels; c++) out[c] = 0;
            // A tap saw the pixel where it is as far from it as a multiple of the stride.
            for (ptrdiff_t ky = y % step; ky >= 0 && ky <= y && ky < (ptrdiff_t)kernel_height; ky += step) {
                size_t oy = (size_t)((y - ky) / step);
                if (oy >= output_height) continue;
                for (ptrdiff_t kx = x % step; kx >= 0 && kx <= x && kx < (ptrdiff_t)kernel_width; kx += step) {
                    size_t ox = (size_t)((x - kx) / step);
                    if (ox >= output_width) continue;
                    const float *source = base + (oy * output_width + ox) * patch + ((size_t)ky * kernel_width + (size_t)kx) * channels;
                    for (size_t c = 0; c < channels; c++) out[c] += source[c];
                }
            }
        }
    }
}

static size_t windows(size_t length, size_t size, size_t stride) { return length < size ? 0 : (length - size) / stride + 1; }

DISPATCHED void image_max_pool(const float *x, size_t height, size_t width, size_t channels, size_t size, size_t stride, size_t first, size_t count,
                               float *restrict out, uint8_t *restrict choice) {
    size_t rows = windows(height, size, stride), columns = windows(width, size, stride);
    for (size_t row = first; row < first + count; row++)
        for (size_t j = 0; j < columns; j++, out += channels, choice += channels) {
            const float *corner = x + ((row / rows * height + row % rows * stride) * width + j * stride) * channels;
            for (size_t c = 0; c < channels; c++) out[c] = corner[c], choice[c] = 0;
            for (size_t k = 1; k < size * size; k++) {
                const float *p = corner + (k / size * width + k % size) * channels;
                for (size_t c = 0; c < channels; c++) {
                    int wins = p[c] > out[c] || p[c] != p[c];
                    choice[c] = wins ? (uint8_t)k : choice[c];
                    out[c] = wins ? p[c] : out[c];
                }
            }
        }
}

DISPATCHED void image_max_pool_gradient(const float *gradient, const uint8_t *choice, size_t height, size_t width, size_t channels, size_t size,
                                        size_t stride, size_t first, size_t count, float *restrict out) {
    size_t rows = windows(height, size, stride), columns = windows(width, size, stride);
    for (size_t row = first; row < first + count; row++, out += width * channels) {
        size_t y = row % height, image = row / height;
        for (size_t c = 0; c < width * channels; c++) out[c] = 0;
        // The windows that reach the row begin up to size − 1 rows above it.
        for (size_t i = y < size ? 0 : (y - size) / stride + 1; i < rows && i * stride <= y; i++)
            for (size_t j = 0; j < columns; j++)
                for (size_t k = 0; k < size; k++) {
                    size_t source = ((image * rows + i) * columns + j) * channels;
                    uint8_t own = (uint8_t)((y - i * stride) * size + k);
                    float *target = out + (j * stride + k) * channels;
                    for (size_t c = 0; c < channels; c++) target[c] += choice[source + c] == own ? gradient[source + c] : 0.0f;
                }
    }
}

void image_upsample_nearest(const float *x, size_t width, size_t channels, size_t scale, size_t first, size_t count, float *restrict out) {
    size_t row = width * scale * channels;
    for (size_t i = first; i < first + count; i++, out += scale * row) {
        for (size_t j = 0; j < width * scale; j++) memcpy(out + j * channels, x + (i * width + j / scale) * channels, channels * sizeof(float));
        for (size_t k = 1; k < scale; k++) memcpy(out + k * row, out, row * sizeof(float));
    }
}

DISPATCHED void image_upsample_nearest_gradient(const float *gradient, size_t width, size_t channels, size_t scale, size_t first, size_t count,
                                                float *restrict out) {
    for (size_t i = first; i < first + count; i++)
        for (size_t j = 0; j < width; j++, out += channels) {
            for (size_t c = 0; c < channels; c++) out[c] = 0;
            for (size_t k = 0; k < scale * scale; k++) {
                const float *source = gradient + ((i * scale + k / scale) * width * scale + j * scale + k % scale) * channels;
                for (size_t c = 0; c < channels; c++) out[c] += source[c];
            }
        }
}

typedef struct { size_t low, high; float weight; } tap;

// Where output index i lies between two inputs when the outermost centres coincide, or else the edges.
static tap between(size_t i, size_t inputs, size_t outputs, int aligns_corners) {
    float position;
    if (aligns_corners) position = outputs > 1 ? (float)i * ((float)(inputs - 1) / (float)(outputs - 1)) : 0.0f;
    else position = ((float)i + 0.5f) * ((float)inputs / (float)outputs) - 0.5f;
    if (position < 0) position = 0;
    size_t low = (size_t)position;
    if (low > inputs - 1) low = inputs - 1;
    size_t high = low + 1 < inputs ? low + 1 : low;
    return (tap){low, high, position - (float)low};
}

// Columns whose taps are found once for all rows.
enum { columns_at_a_time = 256 };

DISPATCHED void image_upsample_bilinear(const float *x, size_t height, size_t width, size_t channels, size_t scale, int aligns_corners, size_t first,
                                        size_t count, float *restrict out) {
    size_t columns = width * scale, rows = height * scale;
    tap taps[columns_at_a_time];
    for (size_t start = 0; start < columns; start += columns_at_a_time) {
        size_t end = start + columns_at_a_time < columns ? start + columns_at_a_time : columns;
        for (size_t j = start; j < end; j++) taps[j - start] = between(j, width, columns, aligns_corners);
        for (size_t i = first; i < first + count; i++) {
            tap v = between(i % rows, height, rows, aligns_corners);
            const float *image = x + i / rows * height * width * channels;
            for (size_t j = start; j < end; j++) {
                tap h = taps[j - start];
                const float *a = image + (v.low * width + h.low) * channels, *b = image + (v.low * width + h.high) * channels;
                const float *c = image + (v.high * width + h.low) * channels, *d = image + (v.high * width + h.high) * channels;
                float wa = (1 - v.weight) * (1 - h.weight), wb = (1 - v.weight) * h.weight, wc = v.weight * (1 - h.weight), wd = v.weight * h.weight;
                float *target = out + ((i - first) * columns + j) * channels;
                for (size_t k = 0; k < channels; k++) target[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k];
            }
        }
    }
}

DISPATCHED void image_upsample_bilinear_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t scale,
                                                 int aligns_corners, size_t first, size_t count, float *restrict out) {
    size_t columns = width * scale, rows = height * scale;
    for (size_t y = first; y < first + count; y++, out += width * channels) {
        for (size_t c = 0; c < width * channels; c++) out[c] = 0;
        const float *image = gradient + y / height * rows * columns * channels;
        for (size_t i = 0; i < rows; i++) {
            tap v = between(i, height, rows, aligns_corners);
            float vertical = (v.low == y % height ? 1 - v.weight : 0.0f) + (v.high == y % height ? v.weight : 0.0f);
            if (v.low != y % height && v.high != y % height) continue;
            for (size_t j = 0; j < columns; j++) {
                tap h = between(j, width, columns, aligns_corners);
                float low = vertical * (1 - h.weight), high = vertical * h.weight;
                const float *source = image + (i * columns + j) * channels;
                // Two passes: at an edge both targets are the same memory.
                float *a = out + h.low * channels, *b = out + h.high * channels;
                for (size_t k = 0; k < channels; k++) a[k] += low * source[k];
                for (size_t k = 0; k < channels; k++) b[k] += high * source[k];
            }
        }
    }
}

DISPATCHED void image_resample(const float *x, size_t inner, size_t outputs, const size_t *first, const size_t *counts, size_t taps,
                               const float *weights, float *restrict out) {
    enum { piece = 1024 };
    for (size_t i = 0; i < outputs; i++, out += inner, weights += taps) {
        const float *source = x + first[i] * inner;
        size_t own = counts[i];
        for (size_t start = 0; start < inner; start += piece) {
            size_t end = start + piece < inner ? start + piece : inner;
            for (size_t c = start; c < end; c++) out[c] = own ? weights[0] * source[c] : 0.0f;
            for (size_t k = 1; k < own; k++)
                for (size_t c = start; c < end; c++) out[c] += weights[k] * source[k * inner + c];
        }
    }
}

DISPATCHED void image_pixel_unshuffle(const float *x, size_t width, size_t channels, size_t factor, size_t first, size_t count, float *restrict out) {
    size_t columns = width / factor, square = factor * factor;
    for (size_t row = first; row < first + count; row++)
        for (size_t j = 0; j < columns; j++, out += channels * square)
            for (size_t k = 0; k < square; k++) {
                const float *source = x + ((row * factor + k / factor) * width + j * factor + k % factor) * channels;
                for (size_t c = 0; c < channels; c++) out[c * square + k] = source[c];
            }
}

DISPATCHED void image_pixel_shuffle(const float *x, size_t width, size_t channels, size_t factor, size_t first, size_t count, float *restrict out) {
    size_t square = factor * factor, shallow = channels / square, run = width * factor * shallow;
    for (size_t row = first; row < first + count; row++, out += factor * run)
        for (size_t j = 0; j < width; j++)
            for (size_t k = 0; k < square; k++) {
                const float *source = x + (row * width + j) * channels;
                float *target = out + k / factor * run + (j * factor + k % factor) * shallow;
                for (size_t c = 0; c < shallow; c++) target[c] = source[c * square + k];
            }
}

DISPATCHED void image_transpose(size_t rows, const size_t *sources, const float *x, size_t columns, const size_t *targets, float *out) {
    lane block[lanes];
    for (size_t i = 0; i < rows; i += lanes)
        for (size_t j = 0; j < columns; j += lanes) {
            size_t tall = rows - i < lanes ? rows - i : lanes, wide = columns - j < lanes ? columns - j : lanes;
            for (size_t l = 0; l < tall; l++) load_lane(x + sources[i + l] + j, wide, block + l);
            for (size_t l = tall; l < lanes; l++) block[l] = (lane){0};
            transpose(block);
            for (size_t l = 0; l < wide; l++) store_lane(block + l, tall, out + targets[j + l] + i);
        }
}
