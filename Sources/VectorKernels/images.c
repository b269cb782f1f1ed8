#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

void image_gather_patches(const float *source, size_t source_height, size_t source_width, size_t channels, size_t output_height, size_t output_width,
                          size_t first, size_t count, size_t kernel_height, size_t kernel_width, size_t stride, ptrdiff_t padding_top, ptrdiff_t padding_left,
                          int transposed, float *patches) {
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

DISPATCHED void image_max_pool(const float *x, size_t height, size_t width, size_t channels, size_t size, size_t stride, float *restrict out,
                               uint8_t *restrict choice) {
    size_t rows = windows(height, size, stride), columns = windows(width, size, stride);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++, out += channels, choice += channels) {
            const float *corner = x + (i * width + j) * stride * channels;
            for (size_t c = 0; c < channels; c++) out[c] = corner[c], choice[c] = 0;
            for (size_t k = 1; k < size * size; k++) {
                const float *p = corner + (k / size * width + k % size) * channels;
                for (size_t c = 0; c < channels; c++) {
                    choice[c] = p[c] > out[c] ? (uint8_t)k : choice[c];
                    out[c] = p[c] > out[c] ? p[c] : out[c];
                }
            }
        }
}

DISPATCHED void image_max_pool_gradient(const float *gradient, const uint8_t *choice, size_t height, size_t width, size_t channels, size_t size,
                                        size_t stride, float *restrict out) {
    size_t rows = windows(height, size, stride), columns = windows(width, size, stride);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++, gradient += channels, choice += channels) {
            float *corner = out + (i * width + j) * stride * channels;
            for (size_t k = 0; k < size * size; k++) {
                float *target = corner + (k / size * width + k % size) * channels;
                for (size_t c = 0; c < channels; c++) target[c] += choice[c] == k ? gradient[c] : 0.0f;
            }
        }
}

void image_upsample_nearest(const float *x, size_t height, size_t width, size_t channels, size_t scale, float *out) {
    size_t row = width * scale * channels;
    for (size_t i = 0; i < height; i++) {
        float *target = out + i * scale * row;
        for (size_t j = 0; j < width * scale; j++)
            memcpy(target + j * channels, x + (i * width + j / scale) * channels, channels * sizeof(float));
        for (size_t k = 1; k < scale; k++) memcpy(target + k * row, target, row * sizeof(float));
    }
}

DISPATCHED void image_upsample_nearest_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t scale, float *out) {
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < width; j++) {
            float *target = out + (i * width + j) * channels;
            for (size_t c = 0; c < channels; c++) target[c] = 0;
            for (size_t k = 0; k < scale * scale; k++) {
                const float *source = gradient + ((i * scale + k / scale) * width * scale + j * scale + k % scale) * channels;
                for (size_t c = 0; c < channels; c++) target[c] += source[c];
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

DISPATCHED void image_upsample_bilinear(const float *x, size_t height, size_t width, size_t channels, size_t scale, int aligns_corners,
                                        float *out) {
    size_t columns = width * scale;
    for (size_t i = 0; i < height * scale; i++) {
        tap v = between(i, height, height * scale, aligns_corners);
        for (size_t j = 0; j < columns; j++) {
            tap h = between(j, width, columns, aligns_corners);
            const float *a = x + (v.low * width + h.low) * channels, *b = x + (v.low * width + h.high) * channels;
            const float *c = x + (v.high * width + h.low) * channels, *d = x + (v.high * width + h.high) * channels;
            float wa = (1 - v.weight) * (1 - h.weight), wb = (1 - v.weight) * h.weight, wc = v.weight * (1 - h.weight), wd = v.weight * h.weight;
            float *target = out + (i * columns + j) * channels;
            for (size_t k = 0; k < channels; k++) target[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k];
        }
    }
}

DISPATCHED void image_upsample_bilinear_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t scale,
                                                 int aligns_corners, float *out) {
    size_t columns = width * scale;
    for (size_t i = 0; i < height * scale; i++) {
        tap v = between(i, height, height * scale, aligns_corners);
        for (size_t j = 0; j < columns; j++) {
            tap h = between(j, width, columns, aligns_corners);
            float *a = out + (v.low * width + h.low) * channels, *b = out + (v.low * width + h.high) * channels;
            float *c = out + (v.high * width + h.low) * channels, *d = out + (v.high * width + h.high) * channels;
            float wa = (1 - v.weight) * (1 - h.weight), wb = (1 - v.weight) * h.weight, wc = v.weight * (1 - h.weight), wd = v.weight * h.weight;
            const float *source = gradient + (i * columns + j) * channels;
            // Four passes: at an edge two of the four targets are the same memory.
            for (size_t k = 0; k < channels; k++) a[k] += wa * source[k];
            for (size_t k = 0; k < channels; k++) b[k] += wb * source[k];
            for (size_t k = 0; k < channels; k++) c[k] += wc * source[k];
            for (size_t k = 0; k < channels; k++) d[k] += wd * source[k];
        }
    }
}

DISPATCHED void image_resample(const float *x, size_t inner, size_t outputs, const size_t *first, size_t taps, const float *weights,
                               float *restrict out) {
    enum { piece = 1024 };
    for (size_t i = 0; i < outputs; i++, out += inner, weights += taps) {
        const float *source = x + first[i] * inner;
        for (size_t start = 0; start < inner; start += piece) {
            size_t end = start + piece < inner ? start + piece : inner;
            for (size_t c = start; c < end; c++) out[c] = weights[0] * source[c];
            for (size_t k = 1; k < taps; k++)
                for (size_t c = start; c < end; c++) out[c] += weights[k] * source[k * inner + c];
        }
    }
}

void image_pixel_unshuffle(const float *x, size_t height, size_t width, size_t channels, size_t factor, float *out) {
    size_t columns = width / factor, deep = channels * factor * factor;
    for (size_t y = 0; y < height; y++)
        for (size_t xx = 0; xx < width; xx++)
            for (size_t c = 0; c < channels; c++)
                out[((y / factor) * columns + xx / factor) * deep + c * factor * factor + (y % factor) * factor + xx % factor] = x[(y * width + xx) * channels + c];
}

void image_pixel_shuffle(const float *x, size_t height, size_t width, size_t channels, size_t factor, float *out) {
    size_t shallow = channels / (factor * factor), columns = width * factor;
    for (size_t y = 0; y < height * factor; y++)
        for (size_t xx = 0; xx < columns; xx++)
            for (size_t c = 0; c < shallow; c++)
                out[(y * columns + xx) * shallow + c] = x[((y / factor) * width + xx / factor) * channels + c * factor * factor + (y % factor) * factor + xx % factor];
}
