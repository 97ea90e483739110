// Sums along an axis, by the leaves and the tree of a matrix product.
#pragma once

#include <cstdint>

namespace tpinfer::kernels {

// y[outer][inner] = the sum of x[outer][reduced][inner] over `reduced`, dense and row-major.
// Defined as the matrix product (matmul.hpp) of x with ones, unit 1: the same leaves, blocks of
// 256 and tree. An empty axis sums to +0. `y` must not overlap x. Uses the process's threads.
void reduce_sum(const float* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner,
                float* y);

}  // namespace tpinfer::kernels
