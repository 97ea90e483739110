// Reductions over one row, and the normalisations made of them. A sum is defined as 16 lanes:
// element i is added to lane i mod 16 in ascending order, in double, from +0; then lane j takes in
// lane j + 8, j + 4, j + 2, j + 1. So its bits depend on the row alone, not on the SIMD width.
//
// A row is n >= 1 contiguous floats; y may equal x, otherwise they must not overlap. No threads
// inside: the caller divides the rows. NaN results are the quiet NaN 0x7fc00000.
#pragma once

#include <cstdint>

namespace tpinfer::kernels {

// Rounded to float once, at the end. The sum of -0 alone is +0.
float row_sum(const float* x, std::int64_t n);

// The largest; a NaN wins, and -0 < +0.
float row_max(const float* x, std::int64_t n);

// The index of the largest, the lowest where several are equal (-0 and +0 are); the first NaN, if
// there is one: as NumPy's argmax.
std::int64_t row_argmax(const float* x, std::int64_t n);

// y = exp(x - max) / sum(exp(x - max)). All of y is NaN when x holds a NaN or +inf, or only -inf.
// An element -inf (masked) in another row gives 0.
void softmax_row(const float* x, float* y, std::int64_t n);

// y = x - max - log(sum(exp(x - max))), with the same special cases; a masked element gives -inf.
void log_softmax_row(const float* x, float* y, std::int64_t n);

// What layer_norm_row found, rounded to float.
struct RowMoments {
  float mean;
  float inverse_deviation;  // 1 / sqrt(variance + epsilon)
};

// ONNX LayerNormalization of one row: y = (x - mean) / sqrt(variance + epsilon) * scale + bias,
// with variance = mean((x - mean)^2). `scale` and `bias` have n elements; `bias` may be null.
// Computed in double throughout and rounded once.
RowMoments layer_norm_row(const float* x, const float* scale, const float* bias, float epsilon,
                          float* y, std::int64_t n);

}  // namespace tpinfer::kernels
