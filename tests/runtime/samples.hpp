// Sample calls of every operator, for the honesty test: several shapes, odd sizes, broadcasting,
// integers where they are allowed. A new operator needs at least two.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/runtime/calls.hpp"

namespace tpinfer::runtime::test {

// Random numbers with the values that functions treat apart.
inline Array mixed(std::uint32_t seed, const Shape& shape) {
  std::vector<float> values = tpinfer::test::noise(seed, element_count(shape));
  const float special[] = {0.0F,    -0.0F, std::nanf(""), std::numeric_limits<float>::infinity(),
                           -87.5F,  88.8F, 1e-41F,        -std::numeric_limits<float>::infinity(),
                           3.4e38F, -1.0F, 1.0F};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] *= 8;
    if (i % 13 == 5) values[i] = special[i / 13 % 11];
  }
  return f32(shape, values);
}

inline std::vector<std::int64_t> whole_numbers(std::uint32_t seed, const Shape& shape, int limit) {
  std::vector<std::int64_t> values;
  for (float value : tpinfer::test::integers(seed, element_count(shape), limit)) {
    values.push_back(static_cast<std::int64_t>(value));
  }
  return values;
}

inline Array longs(std::uint32_t seed, const Shape& shape) {
  return i64(shape, whole_numbers(seed, shape, 1000));
}

inline Array ints(std::uint32_t seed, const Shape& shape) {
  const std::vector<std::int64_t> values = whole_numbers(seed, shape, 1000);
  return i32(shape, std::vector<std::int32_t>(values.begin(), values.end()));
}

inline Array bytes(std::uint32_t seed, const Shape& shape) {
  const std::vector<std::int64_t> values = whole_numbers(seed, shape, 127);
  return u8(shape, std::vector<std::uint8_t>(values.begin(), values.end()));
}

using Ints = std::vector<std::int64_t>;

inline void add_elementwise(std::vector<Call>& all) {
  for (const char* op : {"Abs", "Elu", "Erf", "Exp", "Gelu", "Identity", "LeakyRelu", "Log", "Neg",
                         "Relu", "Scale", "Sigmoid", "Sqrt", "Tanh"}) {
    all.push_back({op, {mixed(1, {5, 37})}});
    all.push_back({op, {mixed(2, {3, 1, 70})}});
    all.push_back({op, {mixed(3, {2, 0})}});
  }
  all.push_back({"Elu", {mixed(4, {19})}, {{"alpha", 0.3}}});
  all.push_back({"LeakyRelu", {mixed(5, {19})}, {{"alpha", -2.0}}});
  all.push_back({"Scale", {mixed(6, {7, 11})}, {{"factor", 0.7}}});
  all.push_back({"Gelu", {mixed(7, {9, 13})}, {{"approximate", std::string("tanh")}}});
  for (const char* op : {"Neg", "Abs"}) {
    all.push_back({op, {longs(8, {6, 5})}});
    all.push_back({op, {ints(9, {31})}});
  }
  all.push_back({"Identity", {bytes(10, {7, 3})}});
  all.push_back({"Clip", {mixed(11, {5, 17}), f32({}, {-1}), f32({}, {2})}});
  all.push_back({"Clip", {mixed(12, {40}), left_out(), f32({1}, {0.5F})}});
  all.push_back({"Clip", {mixed(13, {2, 3, 5})}, {{"min", 0.0}, {"max", 6.0}}});
  all.push_back({"Cast", {mixed(14, {5, 17})}, {{"to", std::int64_t{7}}}});
  all.push_back({"Cast", {longs(15, {4, 9})}, {{"to", std::string("float32")}}});
  all.push_back({"Cast", {mixed(16, {23})}, {{"to", std::int64_t{9}}}});
}

inline void add_binary(std::vector<Call>& all) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"}) {
    all.push_back({op, {mixed(20, {5, 37}), mixed(21, {5, 37})}});
    all.push_back({op, {mixed(22, {5, 37}), mixed(23, {37})}});
    all.push_back({op, {mixed(24, {4, 1, 9}), mixed(25, {3, 1})}});
    all.push_back({op, {mixed(26, {}), mixed(27, {6, 7})}});
    if (std::string(op) == "Pow") continue;
    all.push_back({op, {longs(28, {6, 5}), longs(29, {1, 5})}});
    all.push_back({op, {ints(30, {6, 5}), ints(31, {6, 1})}});
    all.push_back({op, {bytes(32, {17}), bytes(33, {17})}});
  }
  for (const char* op : {"Min", "Max"}) {
    all.push_back({op, {mixed(34, {6, 1}), mixed(35, {7}), mixed(36, {6, 7})}});
    all.push_back({op, {mixed(37, {6, 5})}});
  }
}

inline void add_products(std::vector<Call>& all) {
  all.push_back({"MatMul", {random(40, {5, 23}), random(41, {23, 7})}});
  all.push_back({"MatMul", {random(42, {1, 600}), random(43, {600, 33})}});
  all.push_back({"MatMul", {random(44, {9, 2}), random(45, {2, 65})}});
  all.push_back({"MatMul", {random(46, {2, 3, 40}), random(47, {40, 5})}});
  all.push_back({"MatMul", {random(48, {2, 1, 4, 6}), random(49, {3, 6, 5})}});
  all.push_back({"MatMul", {random(50, {31}), random(51, {31, 4})}});
  all.push_back({"MatMul", {random(52, {4, 31}), random(53, {31})}});
  all.push_back({"MatMul", {random(54, {50}), random(55, {50})}});
  all.push_back({"MatMul", {random(56, {6}), random(57, {4, 6, 5})}});
}

inline void add_rows(std::vector<Call>& all) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    all.push_back({op, {random(60, {5, 37}, 9)}});
    all.push_back({op, {random(61, {4, 5, 6}, 9)}, {{"axis", std::int64_t{1}}}});
    all.push_back({op, {random(62, {7, 3}, 9)}, {{"axis", std::int64_t{-2}}}});
  }
  const Array x = random(63, {5, 3, 14}, 2);
  all.push_back({"LayerNormalization", {x, random(64, {14}), random(65, {14})}, {}, 3});
  all.push_back({"LayerNormalization",
                 {x, random(66, {3, 14})},
                 {{"axis", std::int64_t{1}}, {"epsilon", 0.01}}});
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax"}) {
    all.push_back({op, {random(67, {5, 6, 37})}, {{"axes", Ints{-1}}}});
    all.push_back(
        {op, {random(68, {5, 300, 3})}, {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}}});
    all.push_back({op, {random(69, {7, 4, 3}), constant({0, 2})}});
    all.push_back({op, {longs(70, {6, 5}), constant({1})}, {{"keepdims", std::int64_t{0}}}});
    all.push_back({op, {ints(71, {5, 4, 3})}, {{"axes", Ints{0}}}});
  }
  all.push_back({"ArgMax", {random(72, {5, 6, 7})}});
  all.push_back(
      {"ArgMax", {longs(73, {9, 8})}, {{"axis", std::int64_t{-1}}, {"keepdims", std::int64_t{0}}}});
}

inline void add_shapes(std::vector<Call>& all) {
  all.push_back({"Reshape", {mixed(80, {6, 20}), constant({6, 4, 5})}});
  all.push_back({"Reshape", {mixed(81, {2, 3, 20}), constant({0, -1})}});
  all.push_back({"Reshape", {mixed(82, {4, 6}), constant({8, 3})}});
  all.push_back({"Reshape", {mixed(83, {5, 6, 4}), constant({5, 4, 6})}});
  all.push_back({"Reshape", {longs(84, {12}), constant({3, 1, 4})}});
  all.push_back({"Flatten", {mixed(85, {4, 3, 5})}});
  all.push_back({"Flatten", {mixed(86, {4, 3, 5})}, {{"axis", std::int64_t{-1}}}});
  all.push_back({"Squeeze", {mixed(87, {5, 1, 6, 1})}});
  all.push_back({"Squeeze", {longs(88, {5, 1, 6, 1}), constant({-1})}});
  all.push_back({"Unsqueeze", {mixed(89, {5, 6}), constant({0, 3})}});
  all.push_back({"Unsqueeze", {bytes(90, {7})}, {{"axes", Ints{-1}}}});
  all.push_back({"Transpose", {mixed(91, {5, 7})}});
  all.push_back({"Transpose", {longs(92, {5, 2, 7})}, {{"perm", Ints{2, 0, 1}}}});
  all.push_back({"Transpose", {bytes(93, {3, 4, 5, 2})}, {{"perm", Ints{0, 2, 1, 3}}}});
  all.push_back({"Concat", {mixed(94, {5, 2}), mixed(95, {5, 7})}, {{"axis", std::int64_t{1}}}});
  all.push_back({"Concat",
                 {longs(96, {1, 5, 4}), longs(97, {3, 5, 4}), longs(98, {0, 5, 4})},
                 {{"axis", std::int64_t{-3}}}});
  all.push_back({"Split", {mixed(99, {5, 7})}, {{"axis", std::int64_t{1}}}, 3});
  all.push_back({"Split", {longs(100, {7, 4}), constant({1, 6})}, {}, 2});
  all.push_back(
      {"Slice", {mixed(101, {6, 9})}, {{"starts", Ints{1}}, {"ends", Ints{8}}, {"axes", Ints{1}}}});
  all.push_back({"Slice",
                 {longs(102, {5, 6, 7}), constant({-1, 5}), constant({-100, 1}), constant({0, -1}),
                  constant({-2, -1})}});
}

inline std::vector<Call> samples() {
  std::vector<Call> all;
  add_elementwise(all);
  add_binary(all);
  add_products(all);
  add_rows(all);
  add_shapes(all);
  return all;
}

}  // namespace tpinfer::runtime::test
