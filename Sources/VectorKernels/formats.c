#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

INLINE float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

void convert_float16_to_float(size_t count, const uint16_t *x, float *out) {
    for (size_t i = 0; i < count; i++) {
        uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, exponent = (x[i] >> 10) & 31, mantissa = x[i] & 1023;
        if (exponent == 31)
            out[i] = from_bits(sign | 0x7F800000 | mantissa << 13);
        else if (exponent == 0)
            out[i] = (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
        else
            out[i] = from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    }
}

void convert_bfloat16_to_float(size_t count, const uint16_t *x, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = from_bits((uint32_t)x[i] << 16);
}

void convert_float_to_float16(size_t count, const float *x, uint16_t *out) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
        uint32_t magnitude = bits & 0x7FFFFFFF;
        if (magnitude > 0x7F800000)
            out[i] = sign | 0x7E00;
        else if (magnitude >= 0x477FF000)
            out[i] = sign | 0x7C00;
        else if (magnitude < 0x38800000) {
            // Adding ½ aligns the subnormal's last bit with the float's last bit, and rounds.
            float shifted = from_bits(magnitude) + 0.5f;
            uint32_t aligned;
            memcpy(&aligned, &shifted, 4);
            out[i] = sign | (uint16_t)(aligned - 0x3F000000);
        } else
            out[i] = sign | (uint16_t)((magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13);
    }
}
