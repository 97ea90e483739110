// What a matrix product is: the definition's values, by hand and by committed hashes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "kernels/base/sha256.hpp"
#include "kernels/math/matmul.hpp"
#include "tests/kernels/product.hpp"

namespace tpinfer::kernels {
namespace {

using test::error_against_float64;
using test::first_difference;
using test::Floats;
using test::integers;
using test::kFamilies;
using test::Product;

// The definition itself, on data and sizes of its own: changing these is a format change.
TEST(MatmulDefinition, ReferenceGoldenHashes) {
  struct Golden {
    std::int64_t m, n, contraction, unit;
    std::string hash;
  };
  const std::vector<Golden> golden = {
      {3, 10, 1, 1, "4506f793d6577cea1ee16cb37bb091dad39874b8f9977705acd7cbef6ddec13a"},
      {5, 16, 17, 1, "f7534a37b0aec8c5861f9196c5d03528fa7f71c477269d73a16e5a39467da1fb"},
      {16, 33, 96, 8, "f80b27fb62d3ecdf4faaa7b338c8b28329f04e3bd4563d7f2d41652bcf0ac939"},
      {2, 7, 784, 1, "6dc17c5cba9e94fd7351ee84d35f3829bcd04abbbc81c8a060907f72cd5420f7"},
      {4, 9, 4099, 32, "b58fbf4c0764eef746abafbd5d871f865c7e92fbf676948d3735e5c8045670b3"},
      {1, 64, 9000, 1, "43c5e6e2d45e467fa9fca356199fac6d0e0b5cff9f4654fc469ea3f321f8d826"},
  };
  for (const Golden& g : golden) {
    const Floats y = Product(g.m, g.n, g.contraction, g.unit).whole(Family::reference);
    EXPECT_EQ(sha256_hex(y.data(), y.size() * sizeof(float)), g.hash)
        << g.m << "x" << g.n << "x" << g.contraction << " unit " << g.unit;
  }
}

// K = 5 has leaves of one element each: ((p0 + p1) + (p2 + (p3 + p4))).
TEST(MatmulDefinition, TreeOfFiveByHand) {
  const Product p(1, 1, 5, 1);
  float q[5];
  for (std::size_t k = 0; k < 5; ++k) q[k] = p.x[k] * p.w[k];
  const float expected = (q[0] + q[1]) + (q[2] + (q[3] + q[4]));
  for (const Family family : kFamilies) {
    EXPECT_EQ(first_difference(p.whole(family), {expected}), -1) << name_of(family);
  }
}

// K = 600 in one unit is one leaf: chains of 256, 256 and 88.
TEST(MatmulDefinition, BlocksOfALeafByHand) {
  const Product p(1, 1, 600, 600);
  float sum = 0.0F;
  for (std::size_t begin = 0; begin < 600; begin += 256) {
    float chain = 0.0F;
    for (std::size_t k = begin; k < std::min<std::size_t>(600, begin + 256); ++k) {
      chain = std::fma(p.x[k], p.w[k], chain);
    }
    sum += chain;
  }
  for (const Family family : kFamilies) {
    EXPECT_EQ(first_difference(p.whole(family), {sum}), -1) << name_of(family);
  }
}

TEST(MatmulDefinition, IntegersAreExact) {
  Product p(8, 16, 96, 1);
  p.x = integers(3, p.m * p.contraction, 3);
  p.w = integers(4, p.contraction * p.n, 3);
  Floats exact;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      int sum = 0;
      for (std::int64_t k = 0; k < p.contraction; ++k) {
        sum += static_cast<int>(p.x[static_cast<std::size_t>(i * p.contraction + k)]) *
               static_cast<int>(p.w[static_cast<std::size_t>(k * p.n + j)]);
      }
      exact.push_back(static_cast<float>(sum));
    }
  }
  for (const Family family : kFamilies) {
    EXPECT_EQ(p.whole(family), exact) << name_of(family);
    Floats fast(exact.size());
    matmul_fast(family, p.m, p.n, p.contraction, p.x.data(), p.w.data(), fast.data());
    EXPECT_EQ(fast, exact) << name_of(family) << " fast";
  }
}

TEST(MatmulDefinition, IsMoreAccurateThanAPlainSum) {
  const Product p(8, 64, 4099, 1);
  Floats plain(static_cast<std::size_t>(p.m * p.n), 0.0F);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::size_t row = i / 64;
    for (std::size_t k = 0; k < 4099; ++k) plain[i] += p.x[row * 4099 + k] * p.w[k * 64 + i % 64];
  }
  const double ours = error_against_float64(p, p.whole(Family::eigen));
  EXPECT_LT(ours, 5e-7);
  EXPECT_LT(2 * ours, error_against_float64(p, plain));
}

// A product too small for float32 rounds to -0 inside a chain; a leaf's sum starts at +0.
TEST(MatmulDefinition, UnderflowGivesPositiveZero) {
  for (const std::int64_t m : {1, 4, 40}) {
    Product p(m, 33, 1, 1);
    std::fill(p.x.begin(), p.x.end(), -1e-30F);
    std::fill(p.w.begin(), p.w.end(), 1e-30F);
    const Floats zero(static_cast<std::size_t>(m * p.n), 0.0F);
    for (const Family family : kFamilies) {
      EXPECT_EQ(first_difference(p.whole(family), zero), -1) << name_of(family) << " " << m;
    }
  }
}

TEST(MatmulDefinition, NaNStaysInItsRowAndColumn) {
  for (const std::int64_t m : {5, 17}) {
    Product p(m, 21, 40, 1);
    const Floats clean = p.whole(Family::reference);
    p.x[2 * 40 + 7] = std::nanf("");
    p.w[9 * 21 + 20] = std::numeric_limits<float>::quiet_NaN();
    for (const Family family : kFamilies) {
      const Floats y = p.whole(family);
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (i / 21 == 2 || i % 21 == 20) {
          ASSERT_TRUE(std::isnan(y[i])) << name_of(family) << " " << i;
        } else {
          ASSERT_EQ(y[i], clean[i]) << name_of(family) << " " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tpinfer::kernels
