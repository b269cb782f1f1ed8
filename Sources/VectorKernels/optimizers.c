#include "VectorKernels.h"
#include "dispatch.h"
#include "functions.h"

INLINE void interpolate(size_t count, const float *x, float fraction, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] += (x[i] - out[i]) * fraction;
}

DISPATCHED void vector_adamw(size_t count, float *restrict weight, const float *restrict gradient, float scale, float *restrict first, float *restrict second,
                             float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, float correction1, float correction2,
                             float *restrict average, float fraction) {
    float step = learning_rate / correction1;
    float root = square_root(correction2);
    float kept = 1.0f - learning_rate * weight_decay;
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i] * scale;
        float m = first[i] + (g - first[i]) * (1.0f - beta1);
        float v = second[i] * beta2 + g * g * (1.0f - beta2);
        first[i] = m;
        second[i] = v;
        weight[i] = weight[i] * kept - step * m / (square_root(v) / root + epsilon);
    }
    // In a loop of its own: in the one above it would become a masked store to no address, which is slower than all the rest.
    if (average) interpolate(count, weight, fraction, average);
}

DISPATCHED void vector_interpolate(size_t count, const float *x, float fraction, float *restrict out) { interpolate(count, x, fraction, out); }
