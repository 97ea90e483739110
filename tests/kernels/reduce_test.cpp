#include "kernels/math/reduce.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/base/parallel.hpp"
#include "kernels/math/matmul.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::kernels {
namespace {

using Floats = std::vector<float>;

// The definition: every sum as the product of a row with ones.
Floats by_matmul(const Floats& x, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
  Floats rows;  // [outer * inner][reduced]
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      for (std::int64_t k = 0; k < reduced; ++k) {
        rows.push_back(x[static_cast<std::size_t>((o * reduced + k) * inner + i)]);
      }
    }
  }
  const Floats ones(static_cast<std::size_t>(reduced), 1.0F);
  Floats y(static_cast<std::size_t>(outer * inner), 0.0F);
  matmul_roots(Family::reference, {outer * inner, 1, reduced, 1, {0, reduced}}, rows.data(),
               ones.data(), y.data());
  return y;
}

std::vector<std::uint32_t> bits_of(const Floats& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

TEST(ReduceSum, IsTheMatmulWithOnes) {
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    for (const std::int64_t outer : {1, 3, 33, 70}) {
      for (const std::int64_t inner : {1, 2, 5, 31, 32, 33, 70}) {
        for (const std::int64_t reduced : {0, 1, 2, 15, 17, 96, 300, 4500}) {
          if (outer * inner * reduced > 200000) continue;
          const Floats x = test::noise(7, outer * reduced * inner);
          Floats y(static_cast<std::size_t>(outer * inner), std::nanf(""));
          reduce_sum(x.data(), outer, reduced, inner, y.data());
          ASSERT_EQ(bits_of(y), bits_of(by_matmul(x, outer, reduced, inner)))
              << outer << "x" << reduced << "x" << inner << ", " << threads << " threads";
        }
      }
    }
  }
  set_thread_count(1);
}

TEST(ReduceSum, OfNegativeZerosIsPositive) {
  const Floats x(6, -0.0F);
  Floats y(2, -1.0F);
  reduce_sum(x.data(), 2, 3, 1, y.data());
  EXPECT_EQ(bits_of(y), bits_of({0.0F, 0.0F}));
}

TEST(ReduceSum, OfNoOutputsWritesNothing) {
  float untouched = -1.0F;
  reduce_sum(nullptr, 0, 5, 3, &untouched);
  reduce_sum(nullptr, 5, 3, 0, &untouched);
  EXPECT_EQ(untouched, -1.0F);
}

}  // namespace
}  // namespace tpinfer::kernels
