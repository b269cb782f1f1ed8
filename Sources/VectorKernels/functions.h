// Branch-free exp, erfc and their like that vectorise inside loops. What they are accurate to is in `FunctionAccuracyTests`.
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "VectorKernels.h"
#include "dispatch.h"
#include <stdint.h>
#include <string.h>

// sqrtf sets errno, for which the compiler leaves a loop with it scalar.
INLINE float square_root(float x) { return __builtin_elementwise_sqrt(x); }

// e^x by range reduction x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial of degree 7 in r (coefficients of Cephes).
INLINE float fast_exp(float x) {
    x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    float shifted = x * 1.44269504f + 12582912.0f;
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691e-4f;
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 5.0000001e-1f;
    p = p * r * r + r + 1.0f;
    // The last bits of `shifted` are n: no conversion, which NaN has none of.
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits - 0x4B400000u + 127u) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

// 0 below −88, where it is less than 10^-38.
INLINE float fast_sigmoid(float x) {
    float sigmoid = 1.0f / (1.0f + fast_exp(-x));
    return x < -88.0f ? 0.0f : sigmoid;
}

// erfc in two intervals of |x|: below 1 by erf's Maclaurin series; above directly, so that it keeps its digits where it is small.
INLINE float fast_erfc(float x) {
    float a = x < 0 ? -x : x;
    float s = x * x;
    // erf as Σ (−1)^k x^(2k+1) / (k!·(2k+1)) · 2/√π, enough terms for |x| < 1.
    float p = -1.6365845e-7f;
    p = p * s + 1.6462114e-6f;
    p = p * s - 1.4925650e-5f;
    p = p * s + 1.2055332e-4f;
    p = p * s - 8.5483259e-4f;
    p = p * s + 5.2239776e-3f;
    p = p * s - 2.6866170e-2f;
    p = p * s + 1.1283791e-1f;
    p = p * s - 3.7612639e-1f;
    p = p * s + 1.1283792e+0f;
    float small = 1.0f - x * p;
    // erfc(a) = t·exp(−a² + q(t)), t = 1/(1 + a/2) (Numerical Recipes' Chebyshev fit, relative error 1.2e-7)
    float t = 1.0f / (1.0f + 0.5f * a);
    float q = 0.17087277f;
    q = q * t - 0.82215223f;
    q = q * t + 1.48851587f;
    q = q * t - 1.13520398f;
    q = q * t + 0.27886807f;
    q = q * t - 0.18628806f;
    q = q * t + 0.09678418f;
    q = q * t + 0.37409196f;
    q = q * t + 1.00002368f;
    q = q * t - 1.26551223f;
    float tail = t * fast_exp(-a * a + q);
    float large = x < 0 ? 2.0f - tail : tail;
    return a < 1.0f ? small : large;
}

// x·Φ(x), Φ as erfc(−x / √2) / 2: 1 + erf would cancel where x is negative.
INLINE float gelu(float x) { return 0.5f * x * fast_erfc(x * -0.70710678f); }

INLINE float gelu_slope(float x) { return 0.5f * fast_erfc(x * -0.70710678f) + x * 0.39894228f * fast_exp(-0.5f * x * x); }

INLINE float silu(float x) { return x * fast_sigmoid(x); }

INLINE float silu_slope(float x) {
    float s = fast_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

// For an `activation` known where it is compiled.
INLINE float activated(enum activation activation, float x) {
    return activation == activation_gelu ? gelu(x) : activation == activation_silu ? silu(x) : x;
}

INLINE float activation_slope(enum activation activation, float x) {
    return activation == activation_gelu ? gelu_slope(x) : activation == activation_silu ? silu_slope(x) : 1.0f;
}

#endif
