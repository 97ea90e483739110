// The definition of a matrix product, as literally as it can be written. Its hashes are committed
// (tests/kernels/matmul_test.cpp); every other kernel must equal it, bit for bit.
#include <algorithm>
#include <cmath>

#include "kernels/base/leaves.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {
namespace {

// One element's x row and w column.
struct Operands {
  const float* x;
  const float* w;
  std::int64_t w_stride;
};

float block_sum(const Operands& element, Range k) {
  float sum = 0.0F;
  for (std::int64_t p = k.begin; p < k.end; ++p) {
    sum = std::fma(element.x[p], element.w[p * element.w_stride], sum);
  }
  return sum;
}

float leaf_sum(const Operands& element, Range k) {
  float sum = 0.0F;
  for (std::int64_t begin = k.begin; begin < k.end; begin += kBlockDepth) {
    sum += block_sum(element, {begin, std::min(begin + kBlockDepth, k.end)});
  }
  return sum;
}

float tree_sum(const MatmulProblem& problem, const Operands& element, Range leaves) {
  if (leaves.size() == 1) {
    const Range k = leaf_range(problem.contraction, problem.unit, static_cast<int>(leaves.begin));
    return leaf_sum(element, {k.begin - problem.k.begin, k.end - problem.k.begin});
  }
  const std::int64_t middle = leaves.begin + leaves.size() / 2;
  const float left = tree_sum(problem, element, {leaves.begin, middle});
  return left + tree_sum(problem, element, {middle, leaves.end});
}

}  // namespace

void reference_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                    std::int64_t w_stride, float* sum) {
  for (std::int64_t i = 0; i < shape.rows; ++i) {
    for (std::int64_t j = 0; j < shape.columns; ++j) {
      sum[i * shape.columns + j] +=
          block_sum({x + i * x_stride, w + j, w_stride}, {0, shape.depth});
    }
  }
}

void reference_roots(const MatmulProblem& problem, const float* x, const float* w, float* out) {
  constexpr std::int64_t kGrain = 16;
  for (const Range& root : roots_of(problem)) {
    parallel_ranges(problem.m * problem.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float* row = x + (i / problem.n) * problem.k.size();
        out[i] = tree_sum(problem, {row, w + i % problem.n, problem.n}, root);
      }
    });
    out += problem.m * problem.n;
  }
}

}  // namespace tpinfer::kernels
