// 16 values that are worked on together, in as many registers as it takes.
#ifndef LANES_H
#define LANES_H

#include "dispatch.h"
#include <stddef.h>
#include <string.h>

enum { lanes = 16 };
typedef float lane __attribute__((vector_size(4 * lanes)));

// The first `width` of 16 values, zero beyond.
INLINE void load_lane(const float *source, size_t width, lane *target) {
    if (width == lanes) memcpy(target, source, sizeof(lane));
    else {
        *target = (lane){0};
        for (size_t l = 0; l < width; l++) (*target)[l] = source[l];
    }
}

INLINE void store_lane(const lane *source, size_t width, float *target) {
    if (width == lanes) memcpy(target, source, sizeof(lane));
    else for (size_t l = 0; l < width; l++) target[l] = (*source)[l];
}

#define SWAP_HALVES(STEP, LOW, HIGH)                                                                                                                \
    for (size_t i = 0; i < lanes; i++)                                                                                                              \
        if (!(i & STEP)) {                                                                                                                          \
            lane a = rows[i], b = rows[i + STEP];                                                                                                   \
            rows[i] = LOW, rows[i + STEP] = HIGH;                                                                                                   \
        }

// Rows become columns.
INLINE void transpose(lane rows[lanes]) {
    SWAP_HALVES(8, __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
                __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    SWAP_HALVES(4, __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
                __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    SWAP_HALVES(2, __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    SWAP_HALVES(1, __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
                __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
}

#endif
