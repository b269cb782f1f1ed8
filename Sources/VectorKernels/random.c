#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// Four words hold four elements: block b of a stream is elements 4b … 4b + 3. Blocks are drawn so many at a time, each in a lane of its own.
enum { blocks = 16 };

INLINE void words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t out[4][blocks]) {
    uint32_t c0[blocks], c1[blocks], c2[blocks], c3[blocks], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (size_t l = 0; l < blocks; l++) {
        uint64_t block = first + l;
        c0[l] = (uint32_t)block, c1[l] = (uint32_t)(block >> 32), c2[l] = (uint32_t)stream, c3[l] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (size_t l = 0; l < blocks; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];
            c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
            c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
            c1[l] = (uint32_t)p1;
            c3[l] = (uint32_t)p0;
        }
    memcpy(out[0], c0, sizeof c0), memcpy(out[1], c1, sizeof c1), memcpy(out[2], c2, sizeof c2), memcpy(out[3], c3, sizeof c3);
}

// The logarithm of 0 < x < 1, as exponent and 2·artanh((m − 1)/(m + 1)) of the mantissa ½√2 ≤ m < √2, by its series. Neither this nor the next function may
// be contracted to fused operations: the same seed then gives the same bits on every processor.
INLINE double logarithm(double x) {
    _Pragma("clang fp contract(off)")
    uint64_t bits;
    memcpy(&bits, &x, 8);
    uint64_t shifted = bits + 0x00095F619980C433u;  // carries into the exponent from √2 on
    int64_t exponent = (int64_t)(shifted >> 52) - 1023;
    bits -= (uint64_t)exponent << 52;
    double m;
    memcpy(&m, &bits, 8);
    double s = (m - 1) / (m + 1), q = s * s;
    double series = 1.0 / 21;
    for (int term = 19; term > 0; term -= 2) series = series * q + 1.0 / term;
    return (double)exponent * 0.6931471805599453 + 2 * s * series;
}

// cos and sin of 2π·turn for 0 < turn < 1: the Taylor series within an eighth of a turn of the nearest quarter.
INLINE void circle(double turn, double *cosine, double *sine) {
    _Pragma("clang fp contract(off)")
    int32_t quarter = (int32_t)(turn * 4 + 0.5);
    double x = (turn * 4 - quarter) * 1.5707963267948966, q = -x * x;
    double c = 1, s = 1;
    for (int term = 16; term > 0; term -= 2) {
        c = 1 + c * q * (1.0 / (term * (term - 1)));
        s = 1 + s * q * (1.0 / (term * (term + 1)));
    }
    s *= x;
    double across = quarter & 1 ? -s : c, up = quarter & 1 ? c : s;
    *cosine = quarter & 2 ? -across : across;
    *sine = quarter & 2 ? -up : up;
}

// The elements of a stream in order, `blocks` blocks at a time: `MAKE` gives `values[4][blocks]` of `word[4][blocks]`.
#define DRAW(MAKE)                                                                                                                                  \
    for (uint64_t element = first / (4 * blocks) * (4 * blocks); element < first + count; element += 4 * blocks) {                                  \
        uint32_t word[4][blocks];                                                                                                                   \
        float values[4][blocks];                                                                                                                    \
        words(seed, stream, element / 4, word);                                                                                                     \
        MAKE;                                                                                                                                       \
        for (uint64_t i = 0; i < 4 * blocks; i++)                                                                                                   \
            if (element + i >= first && element + i < first + count) out[element + i - first] = values[i % 4][i / 4];                               \
    }

DISPATCHED void random_uniform(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *restrict out) {
    DRAW(for (size_t k = 0; k < 4; k++) for (size_t l = 0; l < blocks; l++) values[k][l] = (float)(word[k][l] >> 8) * 0x1p-24f)
}

INLINE void normals(uint32_t word[4][blocks], float values[4][blocks]) {
    _Pragma("clang fp contract(off)")
    for (size_t pair = 0; pair < 4; pair += 2)
        for (size_t l = 0; l < blocks; l++) {
            // (word + ½)·2⁻³² lies inside (0, 1): the logarithm stays finite.
            double radius = __builtin_elementwise_sqrt(-2.0 * logarithm(((double)word[pair][l] + 0.5) * 0x1p-32)), cosine, sine;
            circle(((double)word[pair + 1][l] + 0.5) * 0x1p-32, &cosine, &sine);
            values[pair][l] = (float)(radius * cosine);
            values[pair + 1][l] = (float)(radius * sine);
        }
}

DISPATCHED void random_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *restrict out) { DRAW(normals(word, values)) }
