#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"

DISPATCHED void vector_softmax_block(size_t rows, size_t keys, size_t stride, float scale, float *scores, float *maximum, float *sum, float *correction) {
    REASSOCIATE
    for (size_t i = 0; i < rows; i++) {
        float *row = scores + i * stride;
        float largest = row[0];
        for (size_t j = 1; j < keys; j++) largest = row[j] > largest ? row[j] : largest;
        largest *= scale;
        float before = maximum[i];
        float after = largest > before ? largest : before;
        float total = 0;
        for (size_t j = 0; j < keys; j++) {
            row[j] = fast_exp(row[j] * scale - after);
            total += row[j];
        }
        correction[i] = fast_exp(before - after);
        sum[i] = sum[i] * correction[i] + total;
        maximum[i] = after;
    }
}

DISPATCHED void vector_softmax_from_log_sum(size_t rows, size_t keys, size_t stride, float scale, const float *log_sum, float *scores) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < keys; j++) scores[i * stride + j] = fast_exp(scores[i * stride + j] * scale - log_sum[i]);
}

DISPATCHED void vector_softmax_gradient(size_t rows, size_t keys, size_t stride, float scale, const float *probabilities, const float *delta, float *gradient) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < keys; j++) {
            size_t k = i * stride + j;
            gradient[k] = probabilities[k] * (gradient[k] - delta[i]) * scale;
        }
}

DISPATCHED void vector_scale_rows(size_t rows, size_t columns, size_t stride, const float *factor, float *x) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) x[i * stride + j] *= factor[i];
}
