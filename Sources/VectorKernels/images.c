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
            if (transposed) {
                if (y % step != 0) y = -1;
                else y /= step;
            }
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
                if (transposed) {
                    if (x % step != 0) x = -1;
                    else x /= step;
                }
                float *target = patches + (size_t)kx * channels;
                if (x < 0 || x >= width) memset(target, 0, channels * sizeof(float));
                else memcpy(target, row + x * (ptrdiff_t)channels, channels * sizeof(float));
            }
        }
    }
}

DISPATCHED void image_max_pool(const float *x, size_t height, size_t width, size_t channels, float *out, uint8_t *choice) {
    size_t rows = height / 2, columns = width / 2;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            const float *p0 = x + (2 * i * width + 2 * j) * channels, *p2 = p0 + width * channels;
            const float *p1 = p0 + channels, *p3 = p2 + channels;
            size_t o = (i * columns + j) * channels;
            for (size_t c = 0; c < channels; c++) {
                float best = p0[c];
                uint8_t which = 0;
                if (p1[c] > best) best = p1[c], which = 1;
                if (p2[c] > best) best = p2[c], which = 2;
                if (p3[c] > best) best = p3[c], which = 3;
                out[o + c] = best;
                choice[o + c] = which;
            }
        }
}

DISPATCHED void image_max_pool_gradient(const float *gradient, const uint8_t *choice, size_t height, size_t width, size_t channels, float *out) {
    size_t rows = height / 2, columns = width / 2;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            size_t o = (i * columns + j) * channels;
            for (size_t k = 0; k < 4; k++) {
                float *target = out + ((2 * i + k / 2) * width + 2 * j + k % 2) * channels;
                for (size_t c = 0; c < channels; c++) target[c] = choice[o + c] == k ? gradient[o + c] : 0.0f;
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

// Where output index i lies between two inputs when both ends coincide.
static tap aligned(size_t i, size_t inputs, size_t outputs) {
    float position = outputs > 1 ? (float)i * ((float)(inputs - 1) / (float)(outputs - 1)) : 0.0f;
    size_t low = (size_t)position;
    if (low > inputs - 1) low = inputs - 1;
    size_t high = low + 1 < inputs ? low + 1 : low;
    return (tap){low, high, position - (float)low};
}

DISPATCHED void image_upsample_bilinear(const float *x, size_t height, size_t width, size_t channels, size_t scale, float *out) {
    size_t columns = width * scale;
    for (size_t i = 0; i < height * scale; i++) {
        tap v = aligned(i, height, height * scale);
        for (size_t j = 0; j < columns; j++) {
            tap h = aligned(j, width, columns);
            const float *a = x + (v.low * width + h.low) * channels, *b = x + (v.low * width + h.high) * channels;
            const float *c = x + (v.high * width + h.low) * channels, *d = x + (v.high * width + h.high) * channels;
            float wa = (1 - v.weight) * (1 - h.weight), wb = (1 - v.weight) * h.weight, wc = v.weight * (1 - h.weight), wd = v.weight * h.weight;
            float *target = out + (i * columns + j) * channels;
            for (size_t k = 0; k < channels; k++) target[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k];
        }
    }
}

DISPATCHED void image_upsample_bilinear_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t scale, float *out) {
    size_t columns = width * scale;
    for (size_t i = 0; i < height * scale; i++) {
        tap v = aligned(i, height, height * scale);
        for (size_t j = 0; j < columns; j++) {
            tap h = aligned(j, width, columns);
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
