#include "VectorKernels.h"
#include "dispatch.h"
#include <string.h>

// A tile of the result, ROWS × (VECTORS·LANES), stays in registers while a block of k goes by; the right-hand operand comes in panels as wide as a tile.
// Each value is the sum, in order, over blocks of k of sums in order within the block: it does not depend on the tile it lies in, on m or on n.

// Floats of a line of the caches.
enum { line = 16 };

typedef float vector4 __attribute__((vector_size(16)));
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));

// Unrolled, so that a tile's sums stay in registers.
#define FOR_TILE(ROWS, VECTORS)                                                                                                                     \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                                               \
        _Pragma("clang loop unroll(full)") for (int j = 0; j < VECTORS; j++)

// c ← (c if it adds) + a·panel + bias + residual over k, for the left-hand value (i, p) at a[i·row + p·step]. Meanwhile what
// follows `ahead`, a part of the next panel, comes into the second-level cache: with few rows a panel from memory is waited for longer than it is used.
#define TILE(NAME, VECTOR, VECTORS, ROWS)                                                                                                           \
    INLINE void NAME(size_t k, const float *a, size_t row, size_t step, const float *panel, const float *bias, const float *residual, int adds,     \
                     float *c, size_t stride, const float *ahead) {                                                                                 \
        enum { lanes = sizeof(VECTOR) / 4, width = VECTORS * lanes };                                                                               \
        VECTOR sum[ROWS][VECTORS];                                                                                                                  \
        for (int i = 0; i < ROWS; i++)                                                                                                              \
            for (int j = 0; j < VECTORS; j++) sum[i][j] = (VECTOR){0};                                                                              \
        for (size_t p = 0; p < k; p++, panel += width) {                                                                                            \
            __builtin_prefetch(ahead + p * line, 0, 2);                                                                                             \
            VECTOR b[VECTORS];                                                                                                                      \
            memcpy(b, panel, sizeof b);                                                                                                             \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                                                     \
                float x = a[(size_t)i * row + p * step];                                                                                            \
                for (int j = 0; j < VECTORS; j++) sum[i][j] += x * b[j];                                                                            \
            }                                                                                                                                       \
        }                                                                                                                                           \
        if (adds) {                                                                                                                                 \
            FOR_TILE(ROWS, VECTORS) {                                                                                                               \
                VECTOR other;                                                                                                                       \
                memcpy(&other, c + (size_t)i * stride + j * lanes, sizeof other);                                                                   \
                sum[i][j] += other;                                                                                                                 \
            }                                                                                                                                       \
        }                                                                                                                                           \
        if (bias) {                                                                                                                                 \
            FOR_TILE(ROWS, VECTORS) {                                                                                                               \
                VECTOR other;                                                                                                                       \
                memcpy(&other, bias + j * lanes, sizeof other);                                                                                     \
                sum[i][j] += other;                                                                                                                 \
            }                                                                                                                                       \
        }                                                                                                                                           \
        if (residual) {                                                                                                                             \
            FOR_TILE(ROWS, VECTORS) {                                                                                                               \
                VECTOR other;                                                                                                                       \
                memcpy(&other, residual + (size_t)i * stride + j * lanes, sizeof other);                                                            \
                sum[i][j] += other;                                                                                                                 \
            }                                                                                                                                       \
        }                                                                                                                                           \
        FOR_TILE(ROWS, VECTORS) memcpy(c + (size_t)i * stride + j * lanes, &sum[i][j], sizeof(VECTOR));                                             \
    }

// A tile of which `columns` are wanted: by way of a buffer where they are fewer than its width.
#define PLACE(TILE_NAME, WIDTH, ROWS)                                                                                                               \
    if (columns == WIDTH) {                                                                                                                         \
        TILE_NAME(depth, left, apart, step, panel, bias && !adds ? bias + j : 0, residual && !adds ? residual + place : 0, adds, c + place, stride, \
                  ahead);                                                                                                                           \
    } else {                                                                                                                                        \
        float tile[ROWS * WIDTH];                                                                                                                   \
        TILE_NAME(depth, left, apart, step, panel, 0, 0, 0, tile, WIDTH, ahead);                                                                    \
        for (size_t r = 0; r < ROWS; r++)                                                                                                           \
            for (size_t t = 0; t < columns; t++) {                                                                                                  \
                float *target = c + place + r * stride + t, value = tile[r * WIDTH + t];                                                            \
                if (adds) value += *target;                                                                                                         \
                else {                                                                                                                              \
                    if (bias) value += bias[j + t];                                                                                                 \
                    if (residual) value += residual[place + r * stride + t];                                                                        \
                }                                                                                                                                   \
                *target = value;                                                                                                                    \
            }                                                                                                                                       \
    }

#define ROW_GROUP(TILE_NAME, WIDTH, ROWS)                                                                                                           \
    for (; i + ROWS <= rows; i += ROWS) {                                                                                                           \
        const float *left = block + i * apart;                                                                                                      \
        size_t place = (top + i) * stride + j;                                                                                                      \
        const float *ahead = next + groups++ % (WIDTH / line) * depth * line;                                                                       \
        PLACE(TILE_NAME, WIDTH, ROWS)                                                                                                               \
    }

// Rows of the left-hand operand that are a multiple of 4096 bytes apart share one set of the first-level cache, whose ways are fewer than a tall tile's rows.
enum { alike = 1024, ways = 8, copied = 168 };

// The loops around the tiles: a panel's block stays in the first-level cache while the rows go by. Rows that would push each other out of it are copied.
#define PRODUCT(NAME, ATTRIBUTES, WIDTH, TALLEST, ROW_GROUPS)                                                                                       \
    INLINE void NAME##_of(size_t m, size_t n, size_t k, const float *a, size_t row, size_t step, const float *panels, const float *bias,            \
                          const float *residual, int accumulates, float *c, size_t stride) {                                                        \
        int copies = TALLEST > ways && step == 1 && row % alike == 0;                                                                               \
        float copy[TALLEST > ways ? copied * gemm_block : 1];                                                                                       \
        for (size_t start = 0; start < k; start += gemm_block) {                                                                                    \
            size_t depth = k - start < gemm_block ? k - start : gemm_block;                                                                         \
            int adds = accumulates || start > 0;                                                                                                    \
            for (size_t top = 0, rows; top < m; top += rows) {                                                                                      \
                rows = copies && m - top > copied ? copied : m - top;                                                                               \
                const float *block = a + top * row + start * step;                                                                                  \
                size_t apart = row;                                                                                                                 \
                if (copies) {                                                                                                                       \
                    for (size_t i = 0; i < rows; i++) memcpy(copy + i * gemm_block, block + i * row, depth * sizeof(float));                        \
                    block = copy, apart = gemm_block;                                                                                               \
                }                                                                                                                                   \
                for (size_t j = 0; j < n; j += WIDTH) {                                                                                             \
                    const float *panel = panels + j * k + start * WIDTH;                                                                            \
                    size_t columns = n - j < WIDTH ? n - j : WIDTH, i = 0, groups = 0;                                                              \
                    const float *next = j + WIDTH < n ? panel + WIDTH * k : start + depth < k ? panels + (start + depth) * WIDTH : panel;           \
                    ROW_GROUPS                                                                                                                      \
                }                                                                                                                                   \
            }                                                                                                                                       \
        }                                                                                                                                           \
    }                                                                                                                                               \
    ATTRIBUTES static void NAME(size_t m, size_t n, size_t k, const float *a, size_t stride_a, int transposed, const float *panels,                 \
                                const float *bias, const float *residual, int accumulates, float *c, size_t stride) {                               \
        if (transposed) NAME##_of(m, n, k, a, 1, stride_a, panels, bias, residual, accumulates, c, stride);                                         \
        else NAME##_of(m, n, k, a, stride_a, 1, panels, bias, residual, accumulates, c, stride);                                                    \
    }

#pragma clang fp contract(fast)

#if defined(__x86_64__)
// Not "arch=x86-64-v4", for which the compiler halves vectors of 64 bytes.
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define AVX2 __attribute__((target("arch=x86-64-v3")))

TILE(avx512_14, vector16, 2, 14) TILE(avx512_8, vector16, 2, 8) TILE(avx512_4, vector16, 2, 4) TILE(avx512_2, vector16, 2, 2) TILE(avx512_1, vector16, 2, 1)
PRODUCT(avx512, AVX512, 32, 14, ROW_GROUP(avx512_14, 32, 14) ROW_GROUP(avx512_8, 32, 8) ROW_GROUP(avx512_4, 32, 4) ROW_GROUP(avx512_2, 32, 2)
        ROW_GROUP(avx512_1, 32, 1))

TILE(half_14, vector16, 1, 14) TILE(half_8, vector16, 1, 8) TILE(half_4, vector16, 1, 4) TILE(half_2, vector16, 1, 2) TILE(half_1, vector16, 1, 1)
PRODUCT(avx512_half, AVX512, 16, 14, ROW_GROUP(half_14, 16, 14) ROW_GROUP(half_8, 16, 8) ROW_GROUP(half_4, 16, 4) ROW_GROUP(half_2, 16, 2)
        ROW_GROUP(half_1, 16, 1))

TILE(avx2_6, vector8, 2, 6) TILE(avx2_4, vector8, 2, 4) TILE(avx2_2, vector8, 2, 2) TILE(avx2_1, vector8, 2, 1)
PRODUCT(avx2, AVX2, 16, 6, ROW_GROUP(avx2_6, 16, 6) ROW_GROUP(avx2_4, 16, 4) ROW_GROUP(avx2_2, 16, 2) ROW_GROUP(avx2_1, 16, 1))
#endif

// Vectors of 4: 32 registers on arm64 hold 6 rows, 16 on others 2.
#if defined(__aarch64__)
TILE(baseline_6, vector4, 4, 6)
#define SIX_ROWS ROW_GROUP(baseline_6, 16, 6)
#else
#define SIX_ROWS
#endif
TILE(baseline_2, vector4, 4, 2) TILE(baseline_1, vector4, 4, 1)
PRODUCT(baseline, , 16, 6, SIX_ROWS ROW_GROUP(baseline_2, 16, 2) ROW_GROUP(baseline_1, 16, 1))

size_t gemm_panel_width(int level, size_t n) { return level >= 4 && n > 16 ? 32 : 16; }

void gemm(int level, size_t m, size_t n, size_t k, const float *a, size_t stride_a, int transposed, const float *panels, size_t panel_width,
          const float *bias, const float *residual, int accumulates, float *c, size_t stride) {
#if defined(__x86_64__)
    if (level >= 4) {
        if (panel_width == 32) avx512(m, n, k, a, stride_a, transposed, panels, bias, residual, accumulates, c, stride);
        else avx512_half(m, n, k, a, stride_a, transposed, panels, bias, residual, accumulates, c, stride);
        return;
    }
    if (level == 3) {
        avx2(m, n, k, a, stride_a, transposed, panels, bias, residual, accumulates, c, stride);
        return;
    }
#endif
    (void)panel_width;
    baseline(m, n, k, a, stride_a, transposed, panels, bias, residual, accumulates, c, stride);
}

DISPATCHED void gemm_pack(size_t k, size_t n, const float *b, size_t stride, int transposed, size_t width, size_t first, size_t count, size_t depth,
                          float *panels) {
    enum { rows = 64 };
    for (size_t panel = first; panel < first + count; panel++) {
        size_t j = panel * width, columns = n - j < width ? n - j : width;
        float *target = panels + panel * depth * width;
        if (!transposed) {
            for (size_t p = 0; p < k; p++)
                for (size_t t = 0; t < width; t++) target[p * width + t] = t < columns ? b[p * stride + j + t] : 0.0f;
            continue;
        }
        for (size_t start = 0; start < k; start += rows) {
            size_t end = start + rows < k ? start + rows : k;
            for (size_t t = 0; t < width; t++)
                for (size_t p = start; p < end; p++) target[p * width + t] = t < columns ? b[(j + t) * stride + p] : 0.0f;
        }
    }
}

// Lane l of 16 sums every 16th product from the l-th on; the lanes are added in a fixed order.
DISPATCHED void gemm_narrow(size_t m, size_t n, size_t k, const float *a, size_t stride_a, const float *b, const float *bias, const float *residual,
                            float *c) {
    size_t whole = k / 16 * 16;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            const float *left = a + i * stride_a, *right = b + j * k;
            vector16 sums[2] = {{0}, {0}};
            for (size_t p = 0; p < whole; p += 16) {
                vector16 x, y;
                memcpy(&x, left + p, sizeof x);
                memcpy(&y, right + p, sizeof y);
                sums[p / 16 % 2] += x * y;
            }
            float total = 0;
            for (size_t l = 0; l < 16; l++) total += sums[0][l] + sums[1][l];
            for (size_t p = whole; p < k; p++) total += left[p] * right[p];
            if (bias) total += bias[j];
            if (residual) total += residual[i * n + j];
            c[i * n + j] = total;
        }
}
