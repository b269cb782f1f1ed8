#include "VectorKernels.h"
#include "dispatch.h"

// Blocks are summed in float, which vectorises, and the blocks' sums in double, so that the error does not grow with the count.
enum { block = 1024 };

DISPATCHED double vector_sum(size_t count, const float *x) {
    REASSOCIATE
    double total = 0;
    for (size_t start = 0; start < count; start += block) {
        size_t end = start + block < count ? start + block : count;
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += x[i];
        total += sum;
    }
    return total;
}

DISPATCHED double vector_dot(size_t count, const float *a, const float *b) {
    REASSOCIATE
    double total = 0;
    for (size_t start = 0; start < count; start += block) {
        size_t end = start + block < count ? start + block : count;
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += a[i] * b[i];
        total += sum;
    }
    return total;
}

DISPATCHED void vector_sum_rows(size_t rows, size_t inner, const float *x, float *restrict out) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < inner; j++) out[j] += x[i * inner + j];
}
