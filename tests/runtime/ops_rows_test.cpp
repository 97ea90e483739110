// Softmax, LayerNormalization, reductions and ArgMax, by ONNX's definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "tests/runtime/expectations.hpp"

namespace tpinfer::runtime::test {
namespace {

using Ints = std::vector<std::int64_t>;
const float kNaN = std::nanf("");
constexpr std::int64_t kZero = 0, kOne = 1;

// Softmax along one of two axes of a (2,3) matrix, in double.
std::vector<double> softmax(const std::vector<float>& x, bool along_rows, bool logarithm) {
  std::vector<double> y(6);
  for (std::size_t i = 0; i < 6; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 6; ++j) {
      const bool together = along_rows ? i / 3 == j / 3 : i % 3 == j % 3;
      if (together) sum += std::exp(double{x[j]});
    }
    y[i] = logarithm ? x[i] - std::log(sum) : std::exp(double{x[i]}) / sum;
  }
  return y;
}

TEST(Rows, SoftmaxAxes) {
  const std::vector<float> x{1, 2, 4, -3, 0, 0.5F};
  for (const auto& [axis, along_rows] :
       {std::pair{std::int64_t{-1}, true}, {1, true}, {0, false}, {-2, false}}) {
    const shard::Attributes attributes{{"axis", axis}};
    expect_close(run({"Softmax", {f32({2, 3}, x)}, attributes})[0], {2, 3},
                 softmax(x, along_rows, false));
    expect_close(run({"LogSoftmax", {f32({2, 3}, x)}, attributes})[0], {2, 3},
                 softmax(x, along_rows, true));
  }
  EXPECT_EQ(run({"Softmax", {f32({2, 3}, x)}})[0].bytes,
            (run({"Softmax", {f32({2, 3}, x)}, {{"axis", std::int64_t{-1}}}})[0].bytes));
  // Large values do not overflow.
  expect_f32(run({"Softmax", {f32({2}, {3e38F, 3e38F})}})[0], {2}, {0.5F, 0.5F});
  EXPECT_REFUSED((Call{"Softmax", {f32({2, 3}, x)}, {{"axis", std::int64_t{2}}}}), "axis 2");
  EXPECT_REFUSED((Call{"Softmax", {f32({}, {1})}}), "axis -1 of a tensor with 0 dimensions");
}

TEST(Rows, LayerNormalization) {
  const std::vector<float> x{1, 2, 3, 6, -1, 0, 0, 1};
  const Array scale = f32({4}, {1, 2, 3, 4}), bias = f32({4}, {0.5F, 0, 0, -1});
  const std::vector<Array> got = run({"LayerNormalization", {f32({2, 4}, x), scale, bias}, {}, 3});
  std::vector<double> y, mean, inverse;
  for (std::size_t row = 0; row < 2; ++row) {
    double m = 0, v = 0;
    for (std::size_t i = 0; i < 4; ++i) m += x[4 * row + i] / 4.0;
    for (std::size_t i = 0; i < 4; ++i) v += (x[4 * row + i] - m) * (x[4 * row + i] - m) / 4.0;
    mean.push_back(m);
    inverse.push_back(1 / std::sqrt(v + 1e-5));
    for (std::size_t i = 0; i < 4; ++i) {
      const double normal = (x[4 * row + i] - m) * inverse.back();
      y.push_back(normal * values_of<float>(scale)[i] + values_of<float>(bias)[i]);
    }
  }
  expect_close(got[0], {2, 4}, y, 32);  // a difference from the mean, scaled, shifted
  expect_f32(got[1], {2, 1}, {3, 0});
  expect_close(got[2], {2, 1}, inverse);
  // Without bias; over both axes; another epsilon.
  const std::vector<Array> both = run({"LayerNormalization",
                                       {f32({2, 2}, {1, 3, 1, 3}), f32({2, 2}, {1, 1, 1, 1})},
                                       {{"axis", std::int64_t{0}}, {"epsilon", 3.0}},
                                       3});
  expect_f32(both[0], {2, 2}, {-0.5F, 0.5F, -0.5F, 0.5F});  // variance 1, 1/sqrt(1 + 3)
  expect_f32(both[1], {1, 1}, {2});
  expect_f32(both[2], {1, 1}, {0.5F});
}

TEST(Rows, LayerNormalizationRefusals) {
  const Array x = f32({2, 3}, {1, 2, 3, 4, 5, 6}), scale = f32({3}, {1, 1, 1});
  EXPECT_REFUSED((Call{"LayerNormalization", {x}}), "1 inputs given, 2 to 3 wanted");
  EXPECT_REFUSED((Call{"LayerNormalization", {x, f32({2}, {1, 1})}}),
                 "input 1 has shape (2,), the normalized axes have (3,)");
  EXPECT_REFUSED((Call{"LayerNormalization", {x, scale}, {{"axis", std::int64_t{2}}}}), "axis 2");
  EXPECT_REFUSED((Call{"LayerNormalization", {f32({2, 0}, {}), f32({0}, {})}}), "are empty");
}

TEST(Rows, ReductionsFormsOfAxes) {
  const Array x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  auto sum = [&](shard::Attributes attributes) {
    return run({"ReduceSum", {x}, std::move(attributes)})[0];
  };
  expect_f32(sum({}), {1, 1}, {21});
  expect_f32(sum({{"keepdims", kZero}}), {}, {21});
  expect_f32(sum({{"axes", Ints{0}}}), {1, 3}, {5, 7, 9});
  expect_f32(sum({{"axes", Ints{-1}}, {"keepdims", kZero}}), {2}, {6, 15});
  expect_f32(sum({{"axes", Ints{0, 1}}, {"keepdims", kZero}}), {}, {21});
  expect_f32(sum({{"axes", Ints{}}}), {1, 1}, {21});
  expect_f32(sum({{"axes", Ints{}}, {"noop_with_empty_axes", kOne}}), {2, 3}, {1, 2, 3, 4, 5, 6});
  expect_f32(run({"ReduceSum", {x, constant({0})}, {{"keepdims", kZero}}})[0], {3}, {5, 7, 9});
  expect_f32(run({"ReduceSum", {x, left_out()}, {{"axes", Ints{1}}}})[0], {2, 1}, {6, 15});
  expect_f32(run({"ReduceSum", {f32({0, 2}, {})}, {{"axes", Ints{0}}}})[0], {1, 2}, {0, 0});
  const Array cube = f32({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_f32(run({"ReduceSum", {cube, constant({0, 2})}})[0], {1, 2, 1}, {14, 22});
  EXPECT_REFUSED((Call{"ReduceSum", {x, constant({2})}}), "axis 2 of a tensor with 2 dimensions");
  EXPECT_REFUSED((Call{"ReduceSum", {x, i64({1}, {0})}}), "must be a constant");
  EXPECT_REFUSED((Call{"ReduceSum", {booleans({1}, {1})}}), "it does not reduce bool");
}

TEST(Rows, MeansAndMaxima) {
  const Array x = f32({2, 3}, {1, 2, 6, -4, -5, -6});
  expect_f32(run({"ReduceMean", {x}, {{"axes", Ints{1}}}})[0], {2, 1}, {3, -5});
  expect_f32(run({"ReduceMax", {x}, {{"axes", Ints{1}}}})[0], {2, 1}, {6, -4});
  expect_f32(run({"ReduceMax", {x}, {{"axes", Ints{0}}, {"keepdims", kZero}}})[0], {3}, {1, 2, 6});
  expect_f32(run({"ReduceMax", {f32({3}, {1, kNaN, 2})}})[0], {1}, {kNaN});
  expect_f32(run({"ReduceMean", {f32({0}, {})}})[0], {1}, {kNaN});
  EXPECT_REFUSED((Call{"ReduceMax", {f32({2, 0}, {})}}), "the maximum of nothing");
}

TEST(Rows, IntegerReductions) {
  const Array x = i64({2, 3}, {1, 2, 6, -4, -5, -6});
  expect_i64(run({"ReduceSum", {x, constant({1})}})[0], {2, 1}, {9, -15});
  expect_i64(run({"ReduceMean", {x, constant({0})}})[0], {1, 3}, {-1, -1, 0});  // truncates
  expect_i64(run({"ReduceMax", {x}, {{"keepdims", kZero}}})[0], {}, {6});
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  expect_array<std::int32_t>(run({"ReduceSum", {i32({2}, {kMost, 1})}})[0], DType::i32, {1},
                             {std::numeric_limits<std::int32_t>::min()});
}

TEST(Rows, ArgMaxTiesAndAxes) {
  const Array x = f32({2, 3}, {1, 7, 7, 9, -1, 9});
  expect_i64(run({"ArgMax", {x}})[0], {1, 3}, {1, 0, 1});
  expect_i64(run({"ArgMax", {x}, {{"axis", std::int64_t{-1}}}})[0], {2, 1}, {1, 0});
  expect_i64(run({"ArgMax", {x}, {{"axis", kOne}, {"keepdims", kZero}}})[0], {2}, {1, 0});
  expect_i64(run({"ArgMax", {i64({3}, {4, 8, 8})}})[0], {1}, {1});
  expect_i64(run({"ArgMax", {f32({2}, {-0.0F, 0})}})[0], {1}, {0});
  EXPECT_REFUSED((Call{"ArgMax", {x}, {{"axis", std::int64_t{5}}}}), "axis 5");
  expect_i64(run({"ArgMax", {x}, {{"select_last_index", kOne}}})[0], {1, 3}, {1, 0, 1});
  expect_i64(run({"ArgMax", {x}, {{"axis", kOne}, {"select_last_index", kOne}}})[0], {2, 1},
             {2, 2});
  expect_i64(run({"ArgMax", {i64({3}, {8, 8, 4})}, {{"select_last_index", kOne}}})[0], {1}, {1});
  EXPECT_REFUSED((Call{"ArgMax", {f32({0}, {})}}), "the maximum of nothing");
}

}  // namespace
}  // namespace tpinfer::runtime::test
