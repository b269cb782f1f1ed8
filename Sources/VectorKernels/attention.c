#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"

DISPATCHED void vector_softmax_block(size_t rows, size_t keys, size_t stride, float scale, float *restrict scores, float *restrict maximum,
                                     float *restrict sum, float *restrict correction) {
    REASSOCIATE
    for (size_t i = 0; i < rows; i++) {
        float *row = scores + i * stride;
        // Lane by lane: a single maximum would not vectorise, for the sake of NaN.
        float lanes[16], largest = row[0];
        for (size_t l = 0; l < 16; l++) lanes[l] = row[0];
        size_t whole = keys / 16 * 16;
        for (size_t j = 0; j < whole; j += 16)
            for (size_t l = 0; l < 16; l++) lanes[l] = row[j + l] > lanes[l] ? row[j + l] : lanes[l];
        for (size_t j = whole; j < keys; j++) lanes[j - whole] = row[j] > lanes[j - whole] ? row[j] : lanes[j - whole];
        for (size_t l = 0; l < 16; l++) largest = lanes[l] > largest ? lanes[l] : largest;
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

DISPATCHED void vector_softmax_from_log_sum(size_t rows, size_t keys, size_t stride, float scale, const float *log_sum, float *restrict scores) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < keys; j++) scores[i * stride + j] = fast_exp(scores[i * stride + j] * scale - log_sum[i]);
}

DISPATCHED void vector_softmax_gradient(size_t rows, size_t keys, size_t stride, float scale, const float *probabilities, const float *delta,
                                        float *restrict gradient) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < keys; j++) {
            size_t k = i * stride + j;
            gradient[k] = probabilities[k] * (gradient[k] - delta[i]) * scale;
        }
}

DISPATCHED void vector_scale_rows(size_t rows, size_t columns, size_t stride, const float *factor, float *restrict x) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) x[i * stride + j] *= factor[i];
}
