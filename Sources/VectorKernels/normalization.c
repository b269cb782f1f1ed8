#include "VectorKernels.h"
#include "dispatch.h"
#include <math.h>

DISPATCHED void vector_channel_moments(size_t pixels, size_t channels, const float *x, const float *pivot, float *restrict sums, float *restrict squares) {
    for (size_t p = 0; p < pixels; p++) {
        const float *row = x + p * channels;
        for (size_t c = 0; c < channels; c++) {
            float difference = row[c] - pivot[c];
            sums[c] += difference;
            squares[c] += difference * difference;
        }
    }
}

DISPATCHED void vector_channel_products(size_t pixels, size_t channels, const float *g, const float *x, const float *pivot, float *restrict sums, float *restrict products) {
    for (size_t p = 0; p < pixels; p++) {
        const float *row_g = g + p * channels, *row_x = x + p * channels;
        for (size_t c = 0; c < channels; c++) {
            sums[c] += row_g[c];
            products[c] += row_g[c] * (row_x[c] - pivot[c]);
        }
    }
}

DISPATCHED void vector_channel_affine(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float *out) {
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = x[p * channels + c] * scale[c] + shift[c];
}

DISPATCHED void vector_channel_combine(size_t pixels, size_t channels, const float *g, const float *a, const float *x, const float *b, const float *c0, float *out) {
    for (size_t p = 0; p < pixels; p++) {
        const float *row_g = g + p * channels, *row_x = x + p * channels;
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = row_g[c] * a[c] + row_x[c] * b[c] + c0[c];
    }
}

DISPATCHED void vector_rms_norm(size_t rows, size_t channels, const float *x, const float *weight, float epsilon, float *out) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels;
        float square = 0;
        for (size_t c = 0; c < channels; c++) square += row[c] * row[c];
        float inverse = 1.0f / sqrtf(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) out[r * channels + c] = row[c] * inverse * weight[c];
    }
}

DISPATCHED void vector_rms_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon,
                                         float *out, float *restrict weight_gradient) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels, *g = gradient + r * channels;
        float square = 0, product = 0;
        for (size_t c = 0; c < channels; c++) {
            square += row[c] * row[c];
            product += row[c] * g[c] * weight[c];
        }
        float inverse = 1.0f / sqrtf(square / (float)channels + epsilon);
        float factor = product * inverse * inverse * inverse / (float)channels;
        for (size_t c = 0; c < channels; c++) {
            weight_gradient[c] += g[c] * row[c] * inverse;
            out[r * channels + c] = g[c] * weight[c] * inverse - row[c] * factor;
        }
    }
}

DISPATCHED void vector_layer_norm(size_t rows, size_t channels, const float *x, const float *weight, const float *bias, float epsilon, float *out) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels;
        float sum = 0, square = 0;
        for (size_t c = 0; c < channels; c++) sum += row[c];
        float mean = sum / (float)channels;
        for (size_t c = 0; c < channels; c++) square += (row[c] - mean) * (row[c] - mean);
        float inverse = 1.0f / sqrtf(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) out[r * channels + c] = (row[c] - mean) * inverse * weight[c] + bias[c];
    }
}

DISPATCHED void vector_layer_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon,
                                           float *out, float *restrict weight_gradient, float *restrict bias_gradient) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels, *g = gradient + r * channels;
        float sum = 0, square = 0, total = 0, product = 0;
        for (size_t c = 0; c < channels; c++) sum += row[c];
        float mean = sum / (float)channels;
        for (size_t c = 0; c < channels; c++) square += (row[c] - mean) * (row[c] - mean);
        float inverse = 1.0f / sqrtf(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) {
            total += g[c] * weight[c];
            product += g[c] * weight[c] * (row[c] - mean) * inverse;
        }
        total /= (float)channels;
        product /= (float)channels;
        for (size_t c = 0; c < channels; c++) {
            float normalized = (row[c] - mean) * inverse;
            weight_gradient[c] += g[c] * normalized;
            bias_gradient[c] += g[c];
            out[r * channels + c] = inverse * (g[c] * weight[c] - total - normalized * product);
        }
    }
}
