#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"
#include <math.h>

#define BINARY(NAME, EXPRESSION)                                                                                                                    \
    DISPATCHED void NAME(size_t outer, size_t inner, const float *a, size_t a_outer, size_t a_inner, const float *b, size_t b_outer,               \
                         size_t b_inner, float *restrict out) {                                                                                     \
        for (size_t i = 0; i < outer; i++) {                                                                                                        \
            const float *pa = a + i * a_outer, *pb = b + i * b_outer;                                                                               \
            float *po = out + i * inner;                                                                                                            \
            if (a_inner && b_inner) {                                                                                                               \
                for (size_t j = 0; j < inner; j++) { float x = pa[j], y = pb[j]; po[j] = EXPRESSION; }                                              \
            } else if (a_inner) {                                                                                                                   \
                float y = pb[0];                                                                                                                    \
                for (size_t j = 0; j < inner; j++) { float x = pa[j]; po[j] = EXPRESSION; }                                                         \
            } else if (b_inner) {                                                                                                                   \
                float x = pa[0];                                                                                                                    \
                for (size_t j = 0; j < inner; j++) { float y = pb[j]; po[j] = EXPRESSION; }                                                         \
            } else {                                                                                                                                \
                float x = pa[0], y = pb[0];                                                                                                         \
                for (size_t j = 0; j < inner; j++) po[j] = EXPRESSION;                                                                              \
            }                                                                                                                                       \
        }                                                                                                                                           \
    }

BINARY(vector_add, x + y)
BINARY(vector_subtract, x - y)
BINARY(vector_multiply, x * y)
BINARY(vector_divide, x / y)

DISPATCHED void vector_affine(size_t count, const float *x, float scale, float shift, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] * scale + shift;
}

DISPATCHED void vector_accumulate(size_t count, const float *x, float scale, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] += x[i] * scale;
}

DISPATCHED void vector_fill(size_t count, float value, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = value;
}

DISPATCHED void vector_clamp(size_t count, const float *x, float lower, float upper, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] < lower ? lower : (x[i] > upper ? upper : x[i]);
}

DISPATCHED void vector_clamp_gradient(size_t count, const float *x, const float *gradient, float lower, float upper, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = (x[i] >= lower && x[i] <= upper) ? gradient[i] : 0.0f;
}

DISPATCHED void vector_relu(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] < 0 ? 0.0f : x[i];
}

DISPATCHED void vector_relu_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] <= 0 ? 0.0f : gradient[i];
}

DISPATCHED void vector_leaky_relu(size_t count, const float *x, float slope, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] > 0 ? x[i] : x[i] * slope;
}

DISPATCHED void vector_leaky_relu_gradient(size_t count, const float *x, const float *gradient, float slope, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] > 0 ? gradient[i] : gradient[i] * slope;
}

DISPATCHED void vector_silu(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = silu(x[i]);
}

DISPATCHED void vector_silu_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = gradient[i] * silu_slope(x[i]);
}

DISPATCHED void vector_gelu(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = gelu(x[i]);
}

DISPATCHED void vector_gelu_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = gradient[i] * gelu_slope(x[i]);
}

DISPATCHED void vector_exponential(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = fast_exp(x[i]);
}

DISPATCHED void vector_exponential_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = gradient[i] * fast_exp(x[i]);
}

DISPATCHED void vector_absolute(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] < 0 ? -x[i] : x[i];
}

DISPATCHED void vector_absolute_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = x[i] > 0 ? gradient[i] : (x[i] < 0 ? -gradient[i] : 0.0f);
}

void vector_logarithm(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = logf(x[i]);
}

void vector_inverse_hyperbolic_sine(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = asinhf(x[i]);
}

void vector_hyperbolic_sine(size_t count, const float *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = sinhf(x[i]);
}

void vector_hyperbolic_sine_gradient(size_t count, const float *x, const float *gradient, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = gradient[i] * coshf(x[i]);
}
