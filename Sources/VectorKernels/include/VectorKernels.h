#ifndef VECTOR_KERNELS_H
#define VECTOR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Plain loops over 32-bit floats that the compiler turns into AVX-512, AVX2 and baseline versions chosen when the program is loaded.
// They know pointers and counts only. `count` is a number of elements; rows are contiguous. What a function writes to overlaps nothing else. Where the
// compiler may reorder a sum it is declared `restrict`: a check for overlap at run time, which neighbours may fail, would make the order depend on where arrays lie.

// The processor's level of x86-64 (3: AVX2, 4: AVX-512), as the versions are chosen; 0 elsewhere. In `processor.c`.
int instruction_set_level(void);

// MARK: Matrix products, in `gemm.c`

// Values of k that are summed at a time: a product over k is the same, bit for bit, as products over blocks of so many that accumulate.
enum { gemm_block = 128 };
// The right-hand operand [k, n] stands in panels of `gemm_panel_width` columns, the last filled up with zeros: [panels, k, width]. `level` is at most
// `instruction_set_level()`; panels for one level do not fit another.
size_t gemm_panel_width(int level, size_t n);
// Panels first ..< first + count of an operand of which k rows, from b on, are put at `panels`; `depth` is its number of rows in all. b is row-major with
// `stride` between rows, or stored transposed.
void gemm_pack(size_t k, size_t n, const float *b, size_t stride, int transposed, size_t width, size_t first, size_t count, size_t depth, float *panels);
// c ← a·b + bias + residual, or c ← c + a·b if it accumulates, for a [m, k], row-major or stored transposed with `stride_a` between its rows in memory,
// bias [n] and residual like c, `stride` between rows; either may be null. Of a cut over columns each piece must begin with a panel.
void gemm(int level, size_t m, size_t n, size_t k, const float *a, size_t stride_a, int transposed, const float *panels, size_t panel_width,
          const float *bias, const float *residual, int accumulates, float *c, size_t stride);
// The same for few columns, of which panels would be mostly zeros: b [n, k], c [m, n].
void gemm_narrow(size_t m, size_t n, size_t k, const float *a, size_t stride_a, const float *b, const float *bias, const float *residual, float *c);

// MARK: Elementwise, in `elementwise.c`

// out[i, j] = a[i·a_outer + j·a_inner] ∘ b[i·b_outer + j·b_inner]; inner strides are 0 or 1. out is contiguous.
void vector_add(size_t outer, size_t inner, const float *a, size_t a_outer, size_t a_inner, const float *b, size_t b_outer, size_t b_inner, float *out);
void vector_subtract(size_t outer, size_t inner, const float *a, size_t a_outer, size_t a_inner, const float *b, size_t b_outer, size_t b_inner, float *out);
void vector_multiply(size_t outer, size_t inner, const float *a, size_t a_outer, size_t a_inner, const float *b, size_t b_outer, size_t b_inner, float *out);
void vector_divide(size_t outer, size_t inner, const float *a, size_t a_outer, size_t a_inner, const float *b, size_t b_outer, size_t b_inner, float *out);

// out = x · scale + shift
void vector_affine(size_t count, const float *x, float scale, float shift, float *out);
// out += x · scale
void vector_accumulate(size_t count, const float *x, float scale, float *out);
void vector_fill(size_t count, float value, float *out);
void vector_clamp(size_t count, const float *x, float lower, float upper, float *out);
// out = gradient where lower ≤ x ≤ upper, else 0
void vector_clamp_gradient(size_t count, const float *x, const float *gradient, float lower, float upper, float *out);

// What may follow a normalisation in the same pass over memory.
enum activation { activation_none, activation_gelu, activation_silu };

// Activations and their derivatives times `gradient`. GELU is the exact form x·Φ(x).
void vector_relu(size_t count, const float *x, float *out);
void vector_relu_gradient(size_t count, const float *x, const float *gradient, float *out);
void vector_leaky_relu(size_t count, const float *x, float slope, float *out);
void vector_leaky_relu_gradient(size_t count, const float *x, const float *gradient, float slope, float *out);
void vector_silu(size_t count, const float *x, float *out);
void vector_silu_gradient(size_t count, const float *x, const float *gradient, float *out);
void vector_gelu(size_t count, const float *x, float *out);
void vector_gelu_gradient(size_t count, const float *x, const float *gradient, float *out);
// e^x, x held to −87 … 88
void vector_exponential(size_t count, const float *x, float *out);
void vector_exponential_gradient(size_t count, const float *x, const float *gradient, float *out);
void vector_absolute(size_t count, const float *x, float *out);
void vector_absolute_gradient(size_t count, const float *x, const float *gradient, float *out);
void vector_logarithm(size_t count, const float *x, float *out);
// arcsinh and sinh, for field normalisation
void vector_inverse_hyperbolic_sine(size_t count, const float *x, float *out);
void vector_hyperbolic_sine(size_t count, const float *x, float *out);
void vector_hyperbolic_sine_gradient(size_t count, const float *x, const float *gradient, float *out);

// MARK: Reductions, in `reductions.c`

double vector_sum(size_t count, const float *x);
double vector_dot(size_t count, const float *a, const float *b);
// out[j] += Σ_i x[i, j], rows of `inner`
void vector_sum_rows(size_t rows, size_t inner, const float *x, float *out);

// MARK: Normalisation over channels-last rows, in `normalization.c`

// sums[c] += Σ (x[p, c] − pivot[c]), squares[c] += Σ (x[p, c] − pivot[c])²
void vector_channel_moments(size_t pixels, size_t channels, const float *x, const float *pivot, float *sums, float *squares);
// sums[c] += Σ g[p, c], products[c] += Σ g[p, c]·(x[p, c] − pivot[c])
void vector_channel_products(size_t pixels, size_t channels, const float *g, const float *x, const float *pivot, float *sums, float *products);
// out[p, c] = activation(x[p, c]·scale[c] + shift[c] + residual[p, c]); residual may be null.
void vector_channel_affine(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, const float *residual, enum activation activation, float *out);
// out = g times the activation's derivative there
void vector_channel_activation_gradient(size_t pixels, size_t channels, const float *g, const float *x, const float *scale, const float *shift, const float *residual, enum activation activation, float *out);
// out[p, c] = g[p, c]·a[c] + x[p, c]·b[c] + c0[c]
void vector_channel_combine(size_t pixels, size_t channels, const float *g, const float *a, const float *x, const float *b, const float *c0, float *out);
// out = activation(x / √(mean(x²) + epsilon) · weight) for each row
void vector_rms_norm(size_t rows, size_t channels, const float *x, const float *weight, float epsilon, enum activation activation, float *out);
// Gradient with respect to x; weight_gradient[c] is added to.
void vector_rms_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon, enum activation activation, float *out, float *weight_gradient);
void vector_layer_norm(size_t rows, size_t channels, const float *x, const float *weight, const float *bias, float epsilon, float *out);
void vector_layer_norm_gradient(size_t rows, size_t channels, const float *x, const float *weight, const float *gradient, float epsilon, float *out, float *weight_gradient, float *bias_gradient);

// MARK: Distances, in `distances.c`

// Σ over pixels and channels of weight[c]·(a[p, c]/(|a[p]| + epsilon) − b[p, c]/(|b[p]| + epsilon))²
double vector_feature_distance(size_t pixels, size_t channels, const float *a, const float *b, const float *weight, float epsilon);
// Its gradient with respect to a, times scale; 0 where |a[p]| is.
void vector_feature_distance_gradient(size_t pixels, size_t channels, const float *a, const float *b, const float *weight, float epsilon, float scale, float *out);

// MARK: Attention, in `attention.c`

// One block of scores [rows, keys] with leading dimension `stride`: scores ← exp(scores·scale − m) with m the running maximum after this
// block; maximum and sum are updated; correction[i] is what earlier results of row i must be multiplied by.
void vector_softmax_block(size_t rows, size_t keys, size_t stride, float scale, float *scores, float *maximum, float *sum, float *correction);
// scores ← exp(scores·scale − log_sum[i])
void vector_softmax_from_log_sum(size_t rows, size_t keys, size_t stride, float scale, const float *log_sum, float *scores);
// gradient ← probabilities · (gradient − delta[i]) · scale
void vector_softmax_gradient(size_t rows, size_t keys, size_t stride, float scale, const float *probabilities, const float *delta, float *gradient);
// x[i, :] ← x[i, :] · factor[i]
void vector_scale_rows(size_t rows, size_t columns, size_t stride, const float *factor, float *x);

// MARK: Rearrangement of channels-last images, in `images.c`

// Rows of patches for the output pixels first ..< first + count (row-major over all images) of a convolution.
// A patch is [kernel_height, kernel_width, channels]. When `transposed` is 0, source pixel = output·stride + tap − padding;
// else source pixel = output + padding − tap (the data gradient's pattern at stride 1).
void image_gather_patches(const float *source, size_t source_height, size_t source_width, size_t channels, size_t output_height, size_t output_width,
                          size_t first, size_t count, size_t kernel_height, size_t kernel_width, size_t stride, ptrdiff_t padding_top, ptrdiff_t padding_left,
                          int transposed, float *patches);
// The transpose of gathering: for the rows first ..< first + count of the inputs (over all images) the sums of what patches hold for each pixel.
void image_sum_patches(const float *patches, size_t output_height, size_t output_width, size_t height, size_t width, size_t channels, size_t first,
                       size_t count, size_t kernel_height, size_t kernel_width, size_t stride, ptrdiff_t padding_top, ptrdiff_t padding_left, float *out);
// In what follows `first` and `count` are rows over all images, and `out` is where the first of them goes.
// The maximum of size × size windows, `stride` apart, for rows of windows; choice holds which of a window's pixels it is, in reading order. NaN wins.
void image_max_pool(const float *x, size_t height, size_t width, size_t channels, size_t size, size_t stride, size_t first, size_t count, float *out,
                    uint8_t *choice);
// For rows of the input.
void image_max_pool_gradient(const float *gradient, const uint8_t *choice, size_t height, size_t width, size_t channels, size_t size, size_t stride,
                             size_t first, size_t count, float *out);
// For rows of the input, both.
void image_upsample_nearest(const float *x, size_t width, size_t channels, size_t scale, size_t first, size_t count, float *out);
void image_upsample_nearest_gradient(const float *gradient, size_t width, size_t channels, size_t scale, size_t first, size_t count, float *out);
// Bilinear interpolation with the corners' centres aligned, or else their edges: for rows of the output, its gradient for rows of the input.
void image_upsample_bilinear(const float *x, size_t height, size_t width, size_t channels, size_t scale, int aligns_corners, size_t first, size_t count,
                             float *out);
void image_upsample_bilinear_gradient(const float *gradient, size_t height, size_t width, size_t channels, size_t scale, int aligns_corners, size_t first,
                                      size_t count, float *out);
// out[i, :] = Σ_k weights[i, k]·x[first[i] + k, :] over k < counts[i] ≤ taps, for rows of `inner`
void image_resample(const float *x, size_t inner, size_t outputs, const size_t *first, const size_t *counts, size_t taps, const float *weights,
                    float *out);
// [rows, width, channels] → [rows/factor, width/factor, channels·factor²] in PyTorch's channel order, for rows of the result; and back, for rows of x.
void image_pixel_unshuffle(const float *x, size_t width, size_t channels, size_t factor, size_t first, size_t count, float *out);
void image_pixel_shuffle(const float *x, size_t width, size_t channels, size_t factor, size_t first, size_t count, float *out);
// out[targets[j] + i] = x[sources[i] + j]
void image_transpose(size_t rows, const size_t *sources, const float *x, size_t columns, const size_t *targets, float *out);

// MARK: Winograd's convolution F(m × m, 3 × 3), in `winograd.c`

// Tiles of m × m outputs, m being 4 or 2, that cover each image in `rows` rows of `columns`. Of the image whose `height`, `width` and `channels` a function
// reads or writes: the input or the output.
struct winograd_tiles {
    size_t m, rows, columns;
    size_t height, width, channels;
};

// Tiles first ..< first + count are worked on, over all images. `planes` is a part, `count` tiles long, of [(m + 2)², plane_tiles, channels].

// From the (m + 2) × (m + 2) inputs of each tile, zero beyond the image.
void winograd_input(const struct winograd_tiles *t, const float *x, size_t first, size_t count, ptrdiff_t padding_top, ptrdiff_t padding_left,
                    size_t plane_tiles, float *planes);
// To the m × m outputs of each tile, plus `bias` and `residual` (shaped as `out`), either of which may be null.
void winograd_output(const struct winograd_tiles *t, const float *planes, size_t first, size_t count, size_t plane_tiles, const float *bias,
                     const float *residual, float *out);
// The transpose of the above, from the outputs' gradient, to a right-hand operand of products over `panel_tiles` tiles: `planes` is the part from the first
// tile on of [(m + 2)², panels, panel_tiles, panel_width], `plane` apart.
void winograd_output_gradient(const struct winograd_tiles *t, const float *gradient, size_t first, size_t count, size_t panel_tiles, size_t panel_width,
                              size_t plane, float *planes);
// [9, inputs, outputs] → parts of (m + 2)² right-hand operands [inputs, outputs] in panels, `plane` apart: `count` rows from `first` on, `columns` from `column`
// on. `planes` is where they begin in panels of `depth` rows.
void winograd_weight(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column, size_t columns,
                     size_t panel_width, size_t depth, size_t plane, float *planes);
// The same with the taps in reversed order and inputs and outputs in each other's place: of operands [outputs, inputs].
void winograd_reversed_weight(size_t m, const float *weight, size_t inputs, size_t outputs, size_t first, size_t count, size_t column, size_t columns,
                              size_t panel_width, size_t depth, size_t plane, float *planes);
// (m + 2)² matrices [rows, columns] → 9, the transpose of the weights' transform: rows `stride` apart, matrices `plane` apart, and likewise in `gradient`.
void winograd_weight_gradient(size_t m, size_t rows, size_t columns, const float *planes, size_t stride, size_t plane, float *gradient, size_t gradient_stride,
                              size_t tap_size);

// MARK: Optimisation, in `optimizers.c`

// AdamW (Loshchilov & Hutter 2019, algorithm 2) in PyTorch's order of operations, with gradient · scale. If `average` is not null it then moves towards
// the new weights by `fraction` of the way.
void vector_adamw(size_t count, float *weight, const float *gradient, float scale, float *first, float *second, float learning_rate, float beta1, float beta2,
                  float epsilon, float weight_decay, float correction1, float correction2, float *average, float fraction);
// out += (x − out) · fraction
void vector_interpolate(size_t count, const float *x, float fraction, float *out);

// MARK: Random numbers, in `random.c`

// Philox4x32-10 (Salmon et al. 2011): 4 words from a 128-bit counter and a 64-bit key.
void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
// out[i] for elements first ..< first + count of the stream: uniform in [0, 1) or standard normal (Box–Muller).
void random_uniform(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out);
void random_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out);

// MARK: Number formats, in `formats.c`

void convert_float16_to_float(size_t count, const uint16_t *x, float *out);
void convert_bfloat16_to_float(size_t count, const uint16_t *x, float *out);
// Rounds to nearest, ties to even; out of range becomes infinity.
void convert_float_to_float16(size_t count, const float *x, uint16_t *out);

#endif
