#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

INLINE float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

// Without branches, so that the loops vectorise.

DISPATCHED void convert_float16_to_float(size_t count, const uint16_t *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) {
        uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, magnitude = (uint32_t)(x[i] & 0x7FFF) << 13;
        // The exponent's bias is 112 too small; multiplying mends it for subnormals as well.
        uint32_t bits = to_bits(from_bits(magnitude) * 0x1p112f);
        out[i] = from_bits(sign | bits | (magnitude >= 0x0F800000 ? 0x7F800000 : 0));
    }
}

DISPATCHED void convert_bfloat16_to_float(size_t count, const uint16_t *x, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = from_bits((uint32_t)x[i] << 16);
}

DISPATCHED void convert_float_to_float16(size_t count, const float *x, uint16_t *restrict out) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = to_bits(x[i]), magnitude = bits & 0x7FFFFFFF;
        uint32_t normal = (magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13;
        // Adding ½ aligns the subnormal's last bit with the float's last bit, and rounds.
        uint32_t subnormal = to_bits(from_bits(magnitude) + 0.5f) - 0x3F000000;
        uint32_t half = magnitude < 0x38800000 ? subnormal : normal;
        half = magnitude >= 0x477FF000 ? 0x7C00 : half;
        half = magnitude > 0x7F800000 ? 0x7E00 : half;
        out[i] = (uint16_t)((bits >> 16 & 0x8000) | half);
    }
}
