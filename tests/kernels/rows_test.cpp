// Row reductions: the definition written out once more, accuracy against double, ends of the range,
// and golden hashes.
#include "kernels/math/rows.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/base/sha256.hpp"
#include "kernels/math/instruction_set.hpp"
#include "tests/kernels/test_floats.hpp"

namespace tpinfer::kernels {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr std::array<std::int64_t, 14> lengths = {1,  2,  3,   15,  16,   17,   31,
                                                  33, 64, 100, 255, 1000, 4096, 10007};

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

class Rows : public testing::Test {
 protected:
  void TearDown() override { use_instruction_set(""); }
};

// The sum as rows.hpp defines it, read literally.
double sum_by_definition(const std::vector<float>& x) {
  volatile double lane[16] = {};  // volatile: no compiler may regroup it
  for (std::size_t i = 0; i < x.size(); ++i) lane[i % 16] = lane[i % 16] + x[i];
  for (int distance : {8, 4, 2, 1}) {
    for (int j = 0; j < distance; ++j) lane[j] = lane[j] + lane[j + distance];
  }
  return lane[0];
}

TEST_F(Rows, SumIsTheDefinitionAtEveryLengthAndOffset) {
  std::vector<float> x = spread_floats(200, 3, 1);
  for (std::uint32_t i = 0; i < 190; i += 10) {  // big terms that cancel: so the order shows
    x[i] = 0x1p70f;
    x[i + 1 + mixed(i) % 9] = -0x1p70f;
  }
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    for (std::size_t offset = 0; offset < 16; ++offset) {
      for (std::size_t n = 1; n <= 150; ++n) {
        const std::vector<float> row(&x[offset], &x[offset] + n);
        ASSERT_EQ(bits(row_sum(&x[offset], static_cast<std::int64_t>(n))),
                  bits(static_cast<float>(sum_by_definition(row))))
            << set << " length " << n << " offset " << offset;
      }
    }
  }
}

// Alternating huge terms: only this order of additions gives this value.
TEST_F(Rows, SumKeepsLanesApart) {
  std::vector<float> x(32, 0.0f);
  x[0] = 0x1p60f;
  x[16] = -0x1p60f;
  x[1] = 1;
  EXPECT_EQ(row_sum(x.data(), 32), 1);  // lane 0 cancels before it meets lane 1
  std::swap(x[16], x[17]);
  EXPECT_EQ(row_sum(x.data(), 32), 0);  // lane 1 loses its 1 to -2^60
}

TEST_F(Rows, SumOfZerosAndInfinities) {
  const std::array<float, 3> zeros = {-0.0f, -0.0f, -0.0f};
  EXPECT_EQ(bits(row_sum(zeros.data(), 3)), bits(0.0f));
  const std::array<float, 3> both = {inf, 1, -inf};
  EXPECT_EQ(bits(row_sum(both.data(), 3)), 0x7fc00000u);
}

TEST_F(Rows, MaxAndArgmax) {
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    for (const std::int64_t n : lengths) {
      std::vector<float> x = spread_floats(static_cast<std::size_t>(n), 5, 3);
      for (const std::int64_t place : {std::int64_t{0}, n / 2, n - 1}) {
        std::vector<float> peak = x;
        peak[static_cast<std::size_t>(place)] = 7;
        EXPECT_EQ(row_max(peak.data(), n), 7);
        EXPECT_EQ(row_argmax(peak.data(), n), place);
        peak.back() = 7;
        EXPECT_EQ(row_argmax(peak.data(), n), place) << "the lowest index wins";
        peak[static_cast<std::size_t>(place)] = -nan;
        EXPECT_EQ(bits(row_max(peak.data(), n)), 0x7fc00000u);
        peak.back() = nan;
        EXPECT_EQ(row_argmax(peak.data(), n), place) << "the first NaN wins";
      }
    }
    const std::array<float, 3> zeros = {-0.0f, 0.0f, -0.0f};
    EXPECT_EQ(bits(row_max(zeros.data(), 3)), bits(0.0f));
    EXPECT_EQ(row_argmax(zeros.data(), 3), 0) << "zeros are equal";
    const std::array<float, 2> lowest = {-inf, -inf};
    EXPECT_EQ(row_max(lowest.data(), 2), -inf);
    EXPECT_EQ(row_argmax(lowest.data(), 2), 0);
  }
}

TEST_F(Rows, SoftmaxAgainstDouble) {
  for (const std::int64_t n : lengths) {
    const std::vector<float> x = spread_floats(static_cast<std::size_t>(n), 6, 20);
    std::vector<float> y(x.size()), z(x.size()), in_place = x;
    softmax_row(x.data(), y.data(), n);
    log_softmax_row(x.data(), z.data(), n);
    softmax_row(in_place.data(), in_place.data(), n);
    EXPECT_EQ(in_place, y);
    in_place = x;
    log_softmax_row(in_place.data(), in_place.data(), n);
    EXPECT_EQ(in_place, z);
    double largest = x[0], sum = 0, total = 0;
    for (float v : x) largest = std::max<double>(largest, v);
    for (float v : x) sum += std::exp(v - largest);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(x[i] - largest) / sum;
      EXPECT_NEAR(y[i], expected, 2e-7 * expected) << n;
      EXPECT_NEAR(z[i], std::log(expected), 1e-7 * (1 - std::log(expected))) << n;
      total += y[i];
    }
    EXPECT_NEAR(total, 1, 1e-6);
  }
}

TEST_F(Rows, SoftmaxAtTheEnds) {
  std::array<float, 3> y = {};
  const auto softmax = [&](std::array<float, 3> x) {
    softmax_row(x.data(), y.data(), 3);
    return y;
  };
  EXPECT_EQ(softmax({1e30f, 1e30f, -1e30f}), (std::array<float, 3>{0.5f, 0.5f, 0}));
  EXPECT_EQ(softmax({-inf, 4, 4}), (std::array<float, 3>{0, 0.5f, 0.5f}));
  for (const auto& bad : {std::array<float, 3>{-inf, -inf, -inf}, {1, inf, 2}, {nan, 1, 2}}) {
    for (float v : softmax(bad)) EXPECT_EQ(bits(v), 0x7fc00000u);
    log_softmax_row(bad.data(), y.data(), 3);
    for (float v : y) EXPECT_EQ(bits(v), 0x7fc00000u);
  }
  const std::array<float, 3> masked = {-inf, 4, 4};
  log_softmax_row(masked.data(), y.data(), 3);
  EXPECT_EQ(y[0], -inf);
  EXPECT_EQ(y[1], static_cast<float>(-std::log(2.0)));
}

TEST_F(Rows, LayerNormAgainstDouble) {
  for (const std::int64_t n : lengths) {
    std::vector<float> x = spread_floats(static_cast<std::size_t>(n), 8, 2);
    for (float& v : x) v += 100;  // a mean far from 0: one-pass variances fail here
    const std::vector<float> scale = spread_floats(x.size(), 9, 3);
    const std::vector<float> bias = spread_floats(x.size(), 10, 1);
    double mean = 0, variance = 0;
    for (float v : x) mean += v / static_cast<double>(n);
    for (float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
    const double inverse = 1 / std::sqrt(variance + 1e-5f);
    std::vector<float> y(x.size()), plain(x.size()), in_place = x;
    const RowMoments moments =
        layer_norm_row(x.data(), scale.data(), bias.data(), 1e-5f, y.data(), n);
    layer_norm_row(x.data(), scale.data(), nullptr, 1e-5f, plain.data(), n);
    layer_norm_row(in_place.data(), scale.data(), bias.data(), 1e-5f, in_place.data(), n);
    EXPECT_EQ(in_place, y);
    EXPECT_NEAR(moments.mean, mean, 1e-5);
    EXPECT_NEAR(moments.inverse_deviation, inverse, 1e-7 * inverse);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = (x[i] - mean) * inverse * scale[i];
      EXPECT_NEAR(plain[i], expected, 2e-7 * (1e-3 + std::abs(expected)));
      EXPECT_NEAR(y[i], expected + bias[i], 2e-7 * (1e-3 + std::abs(expected + bias[i])));
    }
  }
}

std::string hash_of(const std::vector<float>& x) {
  return sha256_hex(x.data(), x.size() * sizeof(float));
}

// Changing one of these is a change of the arithmetic version (docs/determinism.md).
constexpr std::array<const char*, 5> row_hashes = {
    "fdedb8e1b3cdcd7416fe4cde5eeafde52b5f9231bc0f5efbd55247f91d02f1bc",
    "0aba5701ae8aac16cc8cf382304d886356f2fb9c09f0a74af181565ca5cc6d74",
    "1f8194cbd50c311c1acb5b108e6b07e8a90203cb1063a9b8020e97d4d96cd006",
    "e5af9e6d218c5cbefbc96033e711d4861604cbc27c531e56f0c3fdc61c220cfa",
    "62a28f1e213b6bd8d1f386a0136264fb85849572690eaaab2de2daceec802b94",
};

TEST_F(Rows, GoldenHashes) {
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    std::array<std::vector<float>, 5> all;  // sums and maxima, softmax, log, layer norm, moments
    for (const std::int64_t n : lengths) {
      const std::vector<float> x = spread_floats(static_cast<std::size_t>(n), 70, 30);
      const std::vector<float> scale = spread_floats(x.size(), 71, 2);
      std::vector<float> y(x.size());
      all[0].push_back(row_sum(x.data(), n));
      all[0].push_back(row_max(x.data(), n));
      softmax_row(x.data(), y.data(), n);
      all[1].insert(all[1].end(), y.begin(), y.end());
      log_softmax_row(x.data(), y.data(), n);
      all[2].insert(all[2].end(), y.begin(), y.end());
      const RowMoments moments =
          layer_norm_row(x.data(), scale.data(), x.data(), 1e-5f, y.data(), n);
      all[3].insert(all[3].end(), y.begin(), y.end());
      all[4].insert(all[4].end(), {moments.mean, moments.inverse_deviation});
    }
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(hash_of(all[i]), row_hashes[i]) << set;
  }
}

}  // namespace
}  // namespace tpinfer::kernels
