// Operators that move elements, by ONNX's definitions.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/runtime/expectations.hpp"

namespace tpinfer::runtime::test {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();

// 0, 1, 2, ...
std::vector<std::int64_t> counted(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}
Array count(const Shape& shape) { return i64(shape, counted(element_count(shape))); }

Array attribute_form(const std::string& op, const Array& x, shard::Attributes attributes) {
  return run({op, {x}, std::move(attributes)})[0];
}

void expect_reshaped(const Array& got, const Shape& shape) {
  expect_i64(got, shape, counted(element_count(shape)));
}

TEST(ShapeOps, Reshape) {
  const Array x = count({2, 3, 4});
  auto to = [&](const Ints& shape) { return run({"Reshape", {x, constant(shape)}})[0]; };
  expect_reshaped(to({6, 4}), {6, 4});
  expect_reshaped(to({0, -1}), {2, 12});
  expect_reshaped(to({-1, 0, 2}), {4, 3, 2});
  expect_reshaped(to({24}), {24});
  expect_reshaped(to({1, 8, 1, 3, 1}), {1, 8, 1, 3, 1});
  expect_reshaped(run({"Reshape", {count({1, 1}), constant({})}})[0], {});
  expect_reshaped(
      run({"Reshape", {count({0, 3}), constant({3, 0})}, {{"allowzero", std::int64_t{1}}}})[0],
      {3, 0});
  expect_reshaped(attribute_form("Reshape", x, {{"shape", Ints{4, 6}}}), {4, 6});
}

TEST(ShapeOps, ReshapeRefusals) {
  const Array x = count({2, 3});
  auto call = [&](const Ints& shape) { return Call{"Reshape", {x, constant(shape)}}; };
  EXPECT_REFUSED(call({5}), "(2,3) has 6 elements, (5,) has 5");
  EXPECT_REFUSED(call({4, -1}), "(2,3) has 6 elements");
  EXPECT_REFUSED(call({-1, -1}), "more than one new dimension is -1");
  EXPECT_REFUSED(call({-2, 3}), "new dimension 0 is -2");
  EXPECT_REFUSED(call({2, 3, 0}), "new dimension 2 copies none");
  EXPECT_REFUSED((Call{"Reshape", {x}}), "the new shape is missing");
  EXPECT_REFUSED((Call{"Reshape", {x, i64({1}, {6})}}), "input in1 (shape) must be a constant");
  EXPECT_REFUSED((Call{"Reshape", {x}, {{"shape", std::int64_t{6}}}}),
                 "must be a list of integers");
}

TEST(ShapeOps, Flatten) {
  const Array x = count({2, 3, 4});
  expect_reshaped(run({"Flatten", {x}})[0], {2, 12});
  expect_reshaped(attribute_form("Flatten", x, {{"axis", std::int64_t{0}}}), {1, 24});
  expect_reshaped(attribute_form("Flatten", x, {{"axis", std::int64_t{3}}}), {24, 1});
  expect_reshaped(attribute_form("Flatten", x, {{"axis", std::int64_t{-1}}}), {6, 4});
  EXPECT_REFUSED((Call{"Flatten", {x}, {{"axis", std::int64_t{4}}}}), "axis 4");
}

TEST(ShapeOps, SqueezeAndUnsqueeze) {
  const Array x = count({1, 3, 1, 2});
  expect_reshaped(run({"Squeeze", {x}})[0], {3, 2});
  expect_reshaped(run({"Squeeze", {x, constant({-2})}})[0], {1, 3, 2});
  expect_reshaped(attribute_form("Squeeze", x, {{"axes", Ints{0, 2}}}), {3, 2});
  EXPECT_REFUSED((Call{"Squeeze", {x, constant({1})}}), "axis 1 has extent 3, not 1");
  EXPECT_REFUSED((Call{"Squeeze", {x, constant({4})}}), "axis 4 of a tensor with 4 dimensions");
  const Array y = count({3, 2});
  expect_reshaped(run({"Unsqueeze", {y, constant({0, -1})}})[0], {1, 3, 2, 1});
  expect_reshaped(attribute_form("Unsqueeze", y, {{"axes", Ints{1}}}), {3, 1, 2});
  EXPECT_REFUSED((Call{"Unsqueeze", {y}}), "the axes are missing");
  EXPECT_REFUSED((Call{"Unsqueeze", {y, constant({0, -4})}}), "axis 0 is given twice");
  EXPECT_REFUSED((Call{"Unsqueeze", {y, constant({3})}}), "axis 3 of a tensor with 3 dimensions");
}

TEST(ShapeOps, Transpose) {
  expect_i64(run({"Transpose", {count({2, 3})}})[0], {3, 2}, {0, 3, 1, 4, 2, 5});
  expect_i64(attribute_form("Transpose", count({2, 2, 3}), {{"perm", Ints{1, 0, 2}}}), {2, 2, 3},
             {0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11});
  expect_i64(run({"Transpose", {count({})}})[0], {}, {0});
  EXPECT_REFUSED((Call{"Transpose", {count({2, 3})}, {{"perm", Ints{0, 0}}}}), "no permutation");
  EXPECT_REFUSED((Call{"Transpose", {count({2, 3})}, {{"perm", Ints{0}}}}), "no permutation");
}

TEST(ShapeOps, Concat) {
  const Array a = i64({2, 1}, {1, 2}), b = i64({2, 2}, {3, 4, 5, 6});
  expect_i64(run({"Concat", {a, b}, {{"axis", std::int64_t{1}}}})[0], {2, 3}, {1, 3, 4, 2, 5, 6});
  expect_i64(run({"Concat", {b, b}, {{"axis", std::int64_t{-2}}}})[0], {4, 2},
             {3, 4, 5, 6, 3, 4, 5, 6});
  expect_i64(run({"Concat", {b}, {{"axis", std::int64_t{0}}}})[0], {2, 2}, {3, 4, 5, 6});
  EXPECT_REFUSED((Call{"Concat", {a, b}}), "attribute axis is missing");
  EXPECT_REFUSED((Call{"Concat", {a, b}, {{"axis", std::int64_t{2}}}}), "axis 2");
  EXPECT_REFUSED((Call{"Concat", {a, b}, {{"axis", std::int64_t{0}}}}),
                 "factor d1 is 1 in input 0");
  EXPECT_REFUSED((Call{"Concat", {a, count({2})}, {{"axis", std::int64_t{0}}}}),
                 "input 1 has shape");
  EXPECT_REFUSED((Call{"Concat", {a, f32({2, 1}, {1, 2})}, {{"axis", std::int64_t{0}}}}),
                 "put a Cast between");
}

TEST(ShapeOps, SplitForms) {
  const Array x = count({7});
  auto parts = [&](Call call, const std::vector<std::int64_t>& sizes) {
    call.outputs = sizes.size();
    const std::vector<Array> got = run(call);
    std::int64_t next = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      std::vector<std::int64_t> values;
      for (std::int64_t k = 0; k < sizes[i]; ++k) values.push_back(next++);
      expect_i64(got[i], {sizes[i]}, values);
    }
  };
  parts({"Split", {x}}, {3, 3, 1});                                         // by outputs
  parts({"Split", {x}, {{"num_outputs", std::int64_t{4}}}}, {2, 2, 2, 1});  // operator set 18
  parts({"Split", {x, constant({1, 0, 6})}}, {1, 0, 6});                    // 13
  parts({"Split", {x}, {{"split", Ints{5, 2}}}}, {5, 2});                   // before
  const std::vector<Array> columns =
      run({"Split", {count({2, 4})}, {{"axis", std::int64_t{-1}}}, 2});
  expect_i64(columns[0], {2, 2}, {0, 1, 4, 5});
  expect_i64(columns[1], {2, 2}, {2, 3, 6, 7});
  EXPECT_REFUSED((Call{"Split", {x, constant({3, 3})}, {}, 2}), "do not make up extent 7");
  EXPECT_REFUSED((Call{"Split", {x, constant({3, 4})}, {}, 3}), "for 3 outputs");
  EXPECT_REFUSED((Call{"Split", {x, constant({8, -1})}, {}, 2}), "a part of -1");
  EXPECT_REFUSED((Call{"Split", {x}, {{"num_outputs", std::int64_t{0}}}, 2}), "num_outputs is 0");
  EXPECT_REFUSED((Call{"Split", {x}, {{"axis", std::int64_t{1}}}, 2}), "axis 1");
}

TEST(ShapeOps, SliceStepsAndBounds) {
  const Array x = count({5});
  auto slice = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    const Array got =
        run({"Slice", {x, constant({start}), constant({end}), constant({0}), constant({step})}})[0];
    return values_of<std::int64_t>(got);
  };
  EXPECT_EQ(slice(1, 4, 1), (Ints{1, 2, 3}));
  EXPECT_EQ(slice(0, 5, 2), (Ints{0, 2, 4}));
  EXPECT_EQ(slice(-3, -1, 1), (Ints{2, 3}));
  EXPECT_EQ(slice(4, 0, -1), (Ints{4, 3, 2, 1}));
  EXPECT_EQ(slice(-1, kMin64, -2), (Ints{4, 2, 0}));
  EXPECT_EQ(slice(100, -100, -3), (Ints{4, 1}));
  EXPECT_EQ(slice(-100, 100, 4), (Ints{0, 4}));
  EXPECT_EQ(slice(2, kMax64, 1), (Ints{2, 3, 4}));
  EXPECT_EQ(slice(3, 3, 1), Ints{});
  EXPECT_EQ(slice(3, 1, 1), Ints{});
  EXPECT_EQ(slice(1, 3, -1), Ints{});
  // Steps beyond the tensor take one element, also the longest there are.
  EXPECT_EQ(slice(1, 5, 7), (Ints{1}));
  EXPECT_EQ(slice(1, 5, kMax64), (Ints{1}));
  EXPECT_EQ(slice(3, kMin64, kMin64), (Ints{3}));
  EXPECT_EQ(slice(3, kMin64, -kMax64), (Ints{3}));
}

TEST(ShapeOps, SliceForms) {
  const Array x = count({3, 4});
  expect_i64(run({"Slice", {x, constant({1}), constant({3})}})[0], {2, 4},
             {4, 5, 6, 7, 8, 9, 10, 11});
  expect_i64(run({"Slice", {x, constant({1, 0}), constant({2, 2}), constant({-1, 0})}})[0], {2, 1},
             {1, 5});
  expect_i64(attribute_form("Slice", x, {{"starts", Ints{0, 2}}, {"ends", Ints{1, 4}}}), {1, 2},
             {2, 3});
  expect_i64(
      run({"Slice", {x, constant({2, -1}), constant({-9, -9}), left_out(), constant({-2, -3})}})[0],
      {2, 2}, {11, 8, 3, 0});
  expect_i64(run({"Slice", {count({0, 2}), constant({0}), constant({5})}})[0], {0, 2}, {});
  EXPECT_REFUSED((Call{"Slice", {x, constant({0}), constant({1}), constant({0}), constant({0})}}),
                 "a step is 0");
  EXPECT_REFUSED((Call{"Slice", {x, constant({0}), constant({1, 2})}}), "of equal length");
  EXPECT_REFUSED((Call{"Slice", {x, constant({0}), constant({1}), constant({2})}}), "axis 2");
  EXPECT_REFUSED((Call{"Slice", {x, constant({0}), constant({1}), constant({0, 1})}}),
                 "as many as starts");
  EXPECT_REFUSED((Call{"Slice", {x, i64({1}, {0}), constant({1})}}), "must be a constant");
}

}  // namespace
}  // namespace tpinfer::runtime::test
