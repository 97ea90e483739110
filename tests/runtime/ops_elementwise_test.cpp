// Elementwise operators by ONNX's definitions, against values worked out by hand or in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/expectations.hpp"

namespace tpinfer::runtime::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");
constexpr std::int32_t kMin32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kThreeTo64 = 8733086111712066817;  // modulo 2^64, by Python

Array unary(const std::string& op, const Array& x, shard::Attributes attributes = {}) {
  return run({op, {x}, std::move(attributes)})[0];
}

Array binary(const std::string& op, const Array& a, const Array& b) { return run({op, {a, b}})[0]; }

TEST(Elementwise, ExactFunctions) {
  const Array x = f32({5}, {-2, -0.0F, 0, 3, -kInf});
  expect_f32(unary("Neg", x), {5}, {2, 0, -0.0F, -3, kInf});
  expect_f32(unary("Abs", x), {5}, {2, 0, 0, 3, kInf});
  expect_f32(unary("Relu", f32({3}, {-2, 3, kNaN})), {3}, {0, 3, kNaN});
  expect_f32(unary("Identity", x), {5}, {-2, -0.0F, 0, 3, -kInf});
  expect_f32(unary("Sqrt", f32({3}, {9, 2.25F, -1})), {3}, {3, 1.5F, kNaN});
  expect_f32(unary("LeakyRelu", f32({2}, {-4, 4})), {2}, {-4 * 0.01F, 4});
  expect_f32(unary("LeakyRelu", f32({2}, {-4, 4}), {{"alpha", 0.25}}), {2}, {-1, 4});
  expect_f32(unary("LeakyRelu", f32({2}, {-4, 4}), {{"alpha", std::int64_t{2}}}), {2}, {-8, 4});
}

TEST(Elementwise, FunctionsAgainstDouble) {
  const std::vector<float> points{-9, -2.5F, -0.7F, -0.01F, 0.3F, 1, 4.25F, 20};
  const Array x = f32({2, 4}, points);
  auto expect = [&](const Array& got, double (*function)(double), double roundings = 8) {
    std::vector<double> values;
    for (float point : points) values.push_back(function(point));
    expect_close(got, {2, 4}, values, roundings);
  };
  expect(unary("Exp", x), [](double v) { return std::exp(v); });
  expect(unary("Erf", x), [](double v) { return std::erf(v); });
  expect(unary("Tanh", x), [](double v) { return std::tanh(v); });
  expect(unary("Sigmoid", x), [](double v) { return 1 / (1 + std::exp(-v)); });
  expect(
      unary("Elu", x), [](double v) { return v < 0 ? std::expm1(v) : v; }, 64);
  expect(
      unary("Elu", x, {{"alpha", 0.5}}), [](double v) { return v < 0 ? 0.5 * std::expm1(v) : v; },
      64);
  expect_close(unary("Log", f32({3}, {0.5F, 1, 20})), {3}, {std::log(0.5), 0, std::log(20.0)});
  expect_f32(unary("Log", f32({2}, {0, -1})), {2}, {-kInf, kNaN});
}

// Far below zero Gelu is a difference of nearly equal numbers: absolute accuracy there.
TEST(Elementwise, Gelu) {
  for (float v : {-9.0F, -2.5F, -0.7F, -0.01F, 0.3F, 1.0F, 4.25F, 20.0F}) {
    const double exact = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
    const double cubic = std::sqrt(2 / M_PI) * (v + 0.044715 * double{v} * v * v);
    const double by_tanh = 0.5 * v * (1 + std::tanh(cubic));
    const double allowed = 4 * 0x1p-24 * std::max(1.0F, std::abs(v));
    const Array x = f32({1}, {v});
    EXPECT_NEAR(values_of<float>(unary("Gelu", x))[0], exact, allowed);
    const shard::Attributes none{{"approximate", std::string("none")}};
    EXPECT_EQ(unary("Gelu", x, none).bytes, unary("Gelu", x).bytes);
    const shard::Attributes tanh{{"approximate", std::string("tanh")}};
    EXPECT_NEAR(values_of<float>(unary("Gelu", x, tanh))[0], by_tanh, allowed);
  }
  EXPECT_REFUSED((Call{"Gelu", {f32({1}, {0})}, {{"approximate", std::string("fast")}}}),
                 "approximate is \"fast\"; legal: none, tanh");
}

TEST(Elementwise, Integers) {
  expect_i64(unary("Neg", i64({3}, {5, -7, kMin64})), {3}, {-5, 7, kMin64});
  expect_array<std::int32_t>(unary("Abs", i32({3}, {5, -7, kMin32})), DType::i32, {3},
                             {5, 7, kMin32});
  expect_array<std::int8_t>(unary("Neg", i8({2}, {5, -128})), DType::i8, {2}, {-5, -128});
  expect_array<std::uint8_t>(unary("Neg", u8({2}, {3, 0})), DType::u8, {2}, {253, 0});
  expect_array<std::uint8_t>(unary("Abs", u8({1}, {200})), DType::u8, {1}, {200});
  EXPECT_REFUSED((Call{"Neg", {booleans({1}, {1})}}), "does not compute with bool");
  EXPECT_REFUSED((Call{"Exp", {i64({1}, {3})}}),
                 "input 0 is int64, the operator computes in float");
  EXPECT_REFUSED((Call{"Relu", {}}), "0 inputs given, 1 wanted");
  EXPECT_REFUSED((Call{"Relu", {f32({1}, {1}), f32({1}, {1})}}), "2 inputs given, 1 wanted");
  EXPECT_REFUSED((Call{"Relu", {left_out()}}), "input 0 is missing");
}

TEST(Elementwise, BinaryWithBroadcasting) {
  const Array a = f32({2, 3}, {1, 2, 3, 4, 5, 6}), row = f32({3}, {10, 20, 30});
  const Array column = f32({2, 1}, {100, 200}), scalar = f32({}, {2});
  expect_f32(binary("Add", a, row), {2, 3}, {11, 22, 33, 14, 25, 36});
  expect_f32(binary("Add", row, a), {2, 3}, {11, 22, 33, 14, 25, 36});
  expect_f32(binary("Sub", a, column), {2, 3}, {-99, -98, -97, -196, -195, -194});
  expect_f32(binary("Mul", column, row), {2, 3}, {1000, 2000, 3000, 2000, 4000, 6000});
  expect_f32(binary("Div", a, scalar), {2, 3}, {0.5F, 1, 1.5F, 2, 2.5F, 3});
  expect_f32(binary("Div", f32({3}, {1, -1, 0}), f32({3}, {0, 0, 0})), {3}, {kInf, -kInf, kNaN});
  expect_f32(binary("Pow", f32({4}, {2, 9, -2, 5}), f32({4}, {10, 0.5F, 3, 0})), {4},
             {1024, 3, -8, 1});
  expect_f32(binary("Add", f32({0, 3}, {}), row), {0, 3}, {});
  expect_f32(binary("Add", f32({2, 1, 1}, {1, 2}), f32({1, 2}, {10, 20})), {2, 1, 2},
             {11, 21, 12, 22});
}

TEST(Elementwise, IntegerArithmetic) {
  expect_i64(binary("Div", i64({6}, {7, -7, 7, -7, 5, kMin64}), i64({6}, {2, 2, -2, -2, 0, -1})),
             {6}, {3, -3, -3, 3, 0, kMin64});
  expect_i64(binary("Add", i64({1}, {kMax64}), i64({1}, {1})), {1}, {kMin64});
  expect_array<std::int32_t>(binary("Mul", i32({2}, {1 << 20, -3}), i32({2}, {1 << 20, 4})),
                             DType::i32, {2}, {0, -12});
  expect_array<std::uint8_t>(binary("Sub", u8({2}, {3, 200}), u8({2}, {5, 100})), DType::u8, {2},
                             {254, 100});
  expect_array<std::int8_t>(binary("Max", i8({2}, {-3, 100}), i8({2}, {5, -100})), DType::i8, {2},
                            {5, 100});
  const std::vector<std::uint16_t> most{65535};
  expect_array<std::uint16_t>(
      binary("Mul", array_of(DType::u16, {1}, most), array_of(DType::u16, {1}, most)), DType::u16,
      {1}, {1});
  EXPECT_REFUSED((Call{"Add", {f32({1}, {2}), i64({1}, {3})}}),
                 "input 0 is float32 and input 1 is int64; put a Cast between");
  EXPECT_REFUSED((Call{"Add", {booleans({1}, {1}), booleans({1}, {1})}}),
                 "does not compute with bool");
  EXPECT_REFUSED((Call{"Add", {f32({2}, {1, 2}), f32({3}, {1, 2, 3})}}), "(3,)");
}

// The base's type is the result's, whatever the exponent's.
TEST(Elementwise, PowerOfMixedTypes) {
  expect_i64(binary("Pow", i64({6}, {2, -3, 7, 2, 1, -1}), i64({6}, {10, 3, 0, -1, -5, -3})), {6},
             {1024, -27, 1, 0, 1, -1});
  expect_i64(binary("Pow", i64({2}, {2, 3}), i64({1}, {64})), {2}, {0, kThreeTo64});
  expect_f32(binary("Pow", f32({2}, {1.5F, -2}), i64({}, {3})), {2}, {3.375F, -8});
  expect_array<std::int32_t>(binary("Pow", i32({2}, {9, 4}), f32({2}, {0.5F, -1})), DType::i32, {2},
                             {3, 0});
  EXPECT_REFUSED((Call{"Pow", {f32({1}, {2}), booleans({1}, {1})}}), "does not compute with bool");
}

TEST(Elementwise, MinAndMaxOfAnyNumber) {
  const Array a = f32({3}, {1, 5, kNaN}), b = f32({3}, {4, 2, 0}), c = f32({1}, {3});
  expect_f32(run({"Max", {a, b, c}})[0], {3}, {4, 5, kNaN});
  expect_f32(run({"Min", {a, b, c}})[0], {3}, {1, 2, kNaN});
  expect_f32(run({"Max", {a}})[0], {3}, {1, 5, kNaN});
  expect_f32(run({"Max", {f32({1}, {2}), f32({2, 1}, {1, 3})}})[0], {2, 1}, {2, 3});
  EXPECT_REFUSED((Call{"Max", {}}), "0 inputs given");
  // An input in the middle that is left out cannot be compared with.
  EXPECT_REFUSED((Call{"Max", {a, left_out(), b}}), "input 1 is missing");
  EXPECT_REFUSED((Call{"Min", {a, left_out()}}), "input 1 is missing");
}

TEST(Elementwise, ClipWithMissingBounds) {
  const Array x = f32({4}, {-5, -0.5F, 0.5F, 5});
  const Array low = f32({}, {-1}), high = f32({1}, {1});
  expect_f32(run({"Clip", {x, low, high}})[0], {4}, {-1, -0.5F, 0.5F, 1});
  expect_f32(run({"Clip", {x, low}})[0], {4}, {-1, -0.5F, 0.5F, 5});
  expect_f32(run({"Clip", {x, left_out(), high}})[0], {4}, {-5, -0.5F, 0.5F, 1});
  expect_f32(run({"Clip", {x}})[0], {4}, {-5, -0.5F, 0.5F, 5});
  expect_f32(run({"Clip", {x}, {{"min", 0.0}, {"max", std::int64_t{2}}}})[0], {4}, {0, 0, 0.5F, 2});
  EXPECT_REFUSED((Call{"Clip", {x, f32({2}, {0, 1})}}),
                 "bound 1 has shape (2,), a scalar is wanted");
  expect_i64(run({"Clip", {i64({3}, {-9, 0, 9}), i64({}, {-1}), i64({}, {2})}})[0], {3},
             {-1, 0, 2});
  // A bound that the type cannot hold does not bind.
  expect_array<std::uint8_t>(run({"Clip", {u8({2}, {0, 255})}, {{"min", -5.0}, {"max", 1e9}}})[0],
                             DType::u8, {2}, {0, 255});
  EXPECT_REFUSED((Call{"Clip", {i64({1}, {1}), f32({}, {0})}}), "put a Cast between");
  EXPECT_REFUSED((Call{"Clip", {booleans({1}, {1})}}), "it does not clip bool");
}

TEST(Elementwise, CastSaturatesAndTruncates) {
  const Array x = f32({7}, {-1.9F, 1.9F, 300, -300, kNaN, kInf, -kInf});
  auto to = [&](const Array& from, std::int64_t type) {
    return unary("Cast", from, {{"to", type}});
  };
  expect_array<std::int8_t>(to(x, 3), DType::i8, {7}, {-1, 1, 127, -128, 0, 127, -128});
  expect_array<std::uint8_t>(to(x, 2), DType::u8, {7}, {0, 1, 255, 0, 0, 255, 0});
  expect_i64(to(x, 7), {7}, {-1, 1, 300, -300, 0, kMax64, kMin64});
  expect_array<std::int32_t>(to(f32({2}, {3e9F, -3e9F}), 6), DType::i32, {2},
                             {std::numeric_limits<std::int32_t>::max(), kMin32});
  expect_array<std::uint8_t>(to(f32({4}, {0, -0.0F, 0.1F, kNaN}), 9), DType::boolean, {4},
                             {0, 0, 1, 1});
  expect_f32(to(i64({2}, {-3, 16777217}), 1), {2}, {-3, 16777216});
  expect_f32(to(booleans({2}, {0, 1}), 1), {2}, {0, 1});
  expect_array<std::uint8_t>(to(i64({2}, {256, -1}), 2), DType::u8, {2}, {0, 255});
  expect_i64(unary("Cast", i32({1}, {-5}), {{"to", std::string("int64")}}), {1}, {-5});
  EXPECT_REFUSED((Call{"Cast", {x}}), "attribute to is missing");
  EXPECT_REFUSED((Call{"Cast", {x}, {{"to", std::int64_t{99}}}}), "names no element type");
}

// Tensors stay float32: the values are rounded to those of the shorter type.
TEST(Elementwise, CastToShorterFloats) {
  auto to = [&](const std::vector<float>& x, const char* type) {
    return unary("Cast", f32({static_cast<std::int64_t>(x.size())}, x),
                 {{"to", std::string(type)}});
  };
  expect_f32(to({1 + 0x1p-9F, 1 + 0x1p-8F, 1 + 0x1.8p-7F, -3, kInf, kNaN}, "bfloat16"), {6},
             {1, 1, 1 + 0x1p-6F, -3, kInf, kNaN});
  expect_f32(to({1 + 0x1p-11F, 1 + 0x1.8p-10F, 65504, 65520, 0x1p-25F, 0x1.8p-24F}, "float16"), {6},
             {1, 1 + 0x1p-9F, 65504, kInf, 0, 0x1p-23F});
  expect_f32(to({0.1F}, "float64"), {1}, {0.1F});
}

}  // namespace
}  // namespace tpinfer::runtime::test
