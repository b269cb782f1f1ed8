#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"

INLINE float length(size_t channels, const float *x) {
    REASSOCIATE
    float square = 0;
    for (size_t c = 0; c < channels; c++) square += x[c] * x[c];
    return square_root(square);
}

DISPATCHED double vector_feature_distance(size_t pixels, size_t channels, const float *a, const float *b, const float *weight, float epsilon) {
    REASSOCIATE
    double total = 0;
    for (size_t p = 0; p < pixels; p++, a += channels, b += channels) {
        float inverse_a = 1.0f / (length(channels, a) + epsilon), inverse_b = 1.0f / (length(channels, b) + epsilon);
        float sum = 0;
        for (size_t c = 0; c < channels; c++) {
            float difference = a[c] * inverse_a - b[c] * inverse_b;
            sum += weight[c] * difference * difference;
        }
        total += sum;
    }
    return total;
}

// With u = a/(|a| + ε) and d the derivative with respect to u: d/(|a| + ε) − a·(Σ d·a)/(|a|·(|a| + ε)²).
DISPATCHED void vector_feature_distance_gradient(size_t pixels, size_t channels, const float *a, const float *b, const float *weight, float epsilon,
                                                 float scale, float *restrict out) {
    REASSOCIATE
    for (size_t p = 0; p < pixels; p++, a += channels, b += channels, out += channels) {
        float length_a = length(channels, a);
        float inverse_a = length_a > 0 ? 1.0f / (length_a + epsilon) : 0.0f, inverse_b = 1.0f / (length(channels, b) + epsilon);
        float product = 0;
        for (size_t c = 0; c < channels; c++) {
            float derivative = 2.0f * scale * weight[c] * (a[c] * inverse_a - b[c] * inverse_b) * inverse_a;
            product += derivative * a[c];
            out[c] = derivative;
        }
        float factor = length_a > 0 ? product * inverse_a / length_a : 0.0f;
        for (size_t c = 0; c < channels; c++) out[c] -= a[c] * factor;
    }
}
