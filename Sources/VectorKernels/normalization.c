#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"

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

// u = x·scale + shift + residual; residual may be null.
INLINE float sum_before_activation(const float *x, const float *scale, const float *shift, const float *residual, size_t index, size_t c) {
    float u = x[index] * scale[c] + shift[c];
    return residual ? u + residual[index] : u;
}

INLINE void channel_affine(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, const float *residual, enum activation activation,
                           float *restrict out) {
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            size_t i = p * channels + c;
            out[i] = activated(activation, sum_before_activation(x, scale, shift, residual, i, c));
        }
}

// A loop for each case, so that none asks inside it.
#define FOR_EACH_ACTIVATION(CALL)                                                                                                                  \
    switch (activation) {                                                                                                                           \
    case activation_none: { enum { kind = activation_none }; CALL; } break;                                                                         \
    case activation_gelu: { enum { kind = activation_gelu }; CALL; } break;                                                                         \
    case activation_silu: { enum { kind = activation_silu }; CALL; } break;                                                                         \
    }

DISPATCHED void vector_channel_affine(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, const float *residual,
                                      enum activation activation, float *restrict out) {
    if (residual) { FOR_EACH_ACTIVATION(channel_affine(pixels, channels, x, scale, shift, residual, kind, out)) }
    else { FOR_EACH_ACTIVATION(channel_affine(pixels, channels, x, scale, shift, NULL, kind, out)) }
}

INLINE void channel_activation_gradient(size_t pixels, size_t channels, const float *g, const float *x, const float *scale, const float *shift, const float *residual,
                                        enum activation activation, float *restrict out) {
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            size_t i = p * channels + c;
            out[i] = g[i] * activation_slope(activation, sum_before_activation(x, scale, shift, residual, i, c));
        }
}

DISPATCHED void vector_channel_activation_gradient(size_t pixels, size_t channels, const float *g, const float *x, const float *scale, const float *shift,
                                                   const float *residual, enum activation activation, float *restrict out) {
    if (residual) { FOR_EACH_ACTIVATION(channel_activation_gradient(pixels, channels, g, x, scale, shift, residual, kind, out)) }
    else { FOR_EACH_ACTIVATION(channel_activation_gradient(pixels, channels, g, x, scale, shift, NULL, kind, out)) }
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

DISPATCHED void vector_channel_combine(size_t pixels, size_t channels, const float *g, const float *a, const float *x, const float *b, const float *c0,
                                       float *restrict out) {
    for (size_t p = 0; p < pixels; p++) {
        const float *row_g = g + p * channels, *row_x = x + p * channels;
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = row_g[c] * a[c] + row_x[c] * b[c] + c0[c];
    }
}

INLINE void rms_norm(size_t rows, size_t channels, const float *x, const float *weight, float epsilon, enum activation activation, float *restrict out) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels;
        float square = 0;
        for (size_t c = 0; c < channels; c++) square += row[c] * row[c];
        float inverse = 1.0f / square_root(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) out[r * channels + c] = activated(activation, row[c] * inverse * weight[c]);
    }
}

DISPATCHED void vector_rms_norm(size_t rows, size_t channels, const float *x, const float *weight, float epsilon, enum activation activation, float *restrict out) {
    FOR_EACH_ACTIVATION(rms_norm(rows, channels, x, weight, epsilon, kind, out))
}

INLINE void rms_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon, enum activation activation,
                              float *restrict out, float *restrict weight_gradient) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels, *g = gradient + r * channels;
        float *target = out + r * channels;
        float square = 0, product = 0;
        for (size_t c = 0; c < channels; c++) square += row[c] * row[c];
        float inverse = 1.0f / square_root(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) {
            float slope = g[c] * activation_slope(activation, row[c] * inverse * weight[c]);
            weight_gradient[c] += slope * row[c] * inverse;
            product += row[c] * slope * weight[c];
            target[c] = slope * weight[c] * inverse;
        }
        float factor = product * inverse * inverse * inverse / (float)channels;
        for (size_t c = 0; c < channels; c++) target[c] -= row[c] * factor;
    }
}

DISPATCHED void vector_rms_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon,
                                         enum activation activation, float *restrict out, float *restrict weight_gradient) {
    FOR_EACH_ACTIVATION(rms_norm_gradient(rows, channels, x, weight, gradient, epsilon, kind, out, weight_gradient))
}

DISPATCHED void vector_layer_norm(size_t rows, size_t channels, const float *x, const float *weight, const float *bias, float epsilon, float *restrict out) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels;
        float sum = 0, square = 0;
        for (size_t c = 0; c < channels; c++) sum += row[c];
        float mean = sum / (float)channels;
        for (size_t c = 0; c < channels; c++) square += (row[c] - mean) * (row[c] - mean);
        float inverse = 1.0f / square_root(square / (float)channels + epsilon);
        for (size_t c = 0; c < channels; c++) out[r * channels + c] = (row[c] - mean) * inverse * weight[c] + bias[c];
    }
}

DISPATCHED void vector_layer_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon,
                                           float *restrict out, float *restrict weight_gradient, float *restrict bias_gradient) {
    REASSOCIATE
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * channels, *g = gradient + r * channels;
        float sum = 0, square = 0, total = 0, product = 0;
        for (size_t c = 0; c < channels; c++) sum += row[c];
        float mean = sum / (float)channels;
        for (size_t c = 0; c < channels; c++) square += (row[c] - mean) * (row[c] - mean);
        float inverse = 1.0f / square_root(square / (float)channels + epsilon);
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
