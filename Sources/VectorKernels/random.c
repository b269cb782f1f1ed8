#include "VectorKernels.h"
#include <math.h>

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

// Four words hold four elements: block b of a stream is elements 4b … 4b + 3.
static void words(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]) {
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    random_philox(counter, key, out);
}

void random_uniform(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out) {
    uint32_t word[4];
    for (size_t i = 0; i < count; i++) {
        uint64_t element = first + i;
        if (i == 0 || element % 4 == 0) words(seed, stream, element / 4, word);
        out[i] = (float)(word[element % 4] >> 8) * 0x1p-24f;
    }
}

void random_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out) {
    uint32_t word[4];
    float normal[4];
    for (size_t i = 0; i < count; i++) {
        uint64_t element = first + i;
        if (i == 0 || element % 4 == 0) {
            words(seed, stream, element / 4, word);
            for (int pair = 0; pair < 4; pair += 2) {
                // (word + ½)·2⁻³² lies inside (0, 1): the logarithm stays finite.
                double radius = sqrt(-2.0 * log(((double)word[pair] + 0.5) * 0x1p-32));
                double angle = 6.283185307179586 * ((double)word[pair + 1] + 0.5) * 0x1p-32;
                normal[pair] = (float)(radius * cos(angle));
                normal[pair + 1] = (float)(radius * sin(angle));
            }
        }
        out[i] = normal[element % 4];
    }
}
