// MatMul with numpy.matmul's shapes, and Gemm as lower() writes it out.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/expectations.hpp"

namespace tpinfer::runtime::test {
namespace {

using Values = std::vector<float>;

// 1, 2, 3, ...
Array counted(const Shape& shape) {
  Values values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  return f32(shape, values);
}

// Small whole numbers: every order of adding gives the same, so a plain loop is the reference.
Values product(const Values& a, const Values& b, std::size_t m, std::size_t k, std::size_t n) {
  Values y(m * n, 0);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t l = 0; l < k; ++l) y[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
  return y;
}

TEST(Products, MatricesAndVectors) {
  const Array a = counted({2, 3}), b = counted({3, 2}), v = counted({3});
  for (kernels::Family family :
       {kernels::Family::reference, kernels::Family::eigen, kernels::Family::blas}) {
    expect_f32(run({"MatMul", {a, b}}, family)[0], {2, 2}, {22, 28, 49, 64});
    expect_f32(run({"MatMul", {a, v}}, family)[0], {2}, {14, 32});
    expect_f32(run({"MatMul", {v, b}}, family)[0], {2}, {22, 28});
    expect_f32(run({"MatMul", {v, v}}, family)[0], {}, {14});
    expect_f32(run({"MatMul", {counted({1, 1}), counted({1, 1})}}, family)[0], {1, 1}, {1});
  }
}

TEST(Products, Batches) {
  const Array a = counted({2, 2, 3});
  const Values rows = values_of<float>(a), one = values_of<float>(counted({3, 2}));
  // One matrix for all: the batch is more rows.
  expect_f32(run({"MatMul", {a, counted({3, 2})}})[0], {2, 2, 2}, product(rows, one, 4, 3, 2));
  // A matrix for each, and broadcasting of both batches.
  const Array b = counted({2, 3, 2});
  const Values second = values_of<float>(b);
  Values each =
      product({rows.begin(), rows.begin() + 6}, {second.begin(), second.begin() + 6}, 2, 3, 2);
  const Values last =
      product({rows.begin() + 6, rows.end()}, {second.begin() + 6, second.end()}, 2, 3, 2);
  each.insert(each.end(), last.begin(), last.end());
  expect_f32(run({"MatMul", {a, b}})[0], {2, 2, 2}, each);
  const Array wide = run({"MatMul", {counted({2, 1, 2, 3}), b}})[0];
  EXPECT_EQ(wide.shape, (Shape{2, 2, 2, 2}));
  const Values got = values_of<float>(wide);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      const auto x = rows.begin() + static_cast<std::ptrdiff_t>(6 * i);
      const auto w = second.begin() + static_cast<std::ptrdiff_t>(6 * j);
      const auto at = got.begin() + static_cast<std::ptrdiff_t>(4 * (2 * i + j));
      EXPECT_EQ(Values(at, at + 4), product({x, x + 6}, {w, w + 6}, 2, 3, 2));
    }
  }
  // A vector against a batch, and a batch against a vector.
  EXPECT_EQ(run({"MatMul", {counted({3}), b}})[0].shape, (Shape{2, 2}));
  expect_f32(run({"MatMul", {a, counted({3})}})[0], {2, 2}, {14, 32, 50, 68});
}

TEST(Products, EmptyAndRefused) {
  expect_f32(run({"MatMul", {f32({0, 3}, {}), counted({3, 2})}})[0], {0, 2}, {});
  // A sum of nothing is +0, as in NumPy.
  expect_f32(run({"MatMul", {f32({2, 0}, {}), f32({0, 2}, {})}})[0], {2, 2}, {0, 0, 0, 0});
  expect_f32(run({"MatMul", {f32({2, 1, 0}, {}), f32({2, 0, 1}, {})}})[0], {2, 1, 1}, {0, 0});
  EXPECT_REFUSED((Call{"MatMul", {counted({2, 3}), counted({4, 2})}}),
                 "factor k is 3 in input 0 and 4 in input 1");
  EXPECT_REFUSED((Call{"MatMul", {counted({}), counted({3})}}), "a scalar has no product; use Mul");
  EXPECT_REFUSED((Call{"MatMul", {counted({2, 2, 3}), counted({3, 3, 2})}}), "(2,)");
  EXPECT_REFUSED((Call{"MatMul", {i64({1, 1}, {1}), counted({1, 1})}}), "input 0 is int64");
  EXPECT_REFUSED((Call{"MatMul", {counted({1, 1})}}), "1 inputs given, 2 wanted");
}

// Runs a Gemm on a graph input x and weights, through lower() and bind(), node by node.
Array gemm(std::vector<std::string> inputs, const std::map<std::string, Array>& arrays,
           shard::Attributes attributes) {
  shard::Graph graph;
  graph.nodes.push_back({"g", "Gemm", std::move(inputs), {"y"}, std::move(attributes), {}});
  graph.outputs = {"y"};
  shard::WeightTable weights;
  for (const auto& [name, array] : arrays) {
    if (name[0] != 'x') {
      weights[name] = {array.dtype, array.shape, {}};
      continue;
    }
    graph.inputs.push_back({name, array.dtype, {}});
    for (std::int64_t extent : array.shape) graph.inputs.back().shape.push_back({extent, ""});
  }
  const shard::BoundGraph bound =
      shard::bind(shard::lower(graph, weights), {}, weights, rule_table());
  std::map<std::string, Array> known = arrays;
  for (const shard::BoundNode& node : bound.nodes) {
    Call call{node.node.op, {}, node.node.attributes};
    for (const std::string& name : node.node.inputs) {
      if (!known.contains(name)) {  // a transposed view of a weight
        const shard::WeightView view = bound.tensor(name).weight.value();
        EXPECT_TRUE(view.transposed);
        known[name] = run({"Transpose", {known.at(view.dataset)}})[0];
      }
      call.inputs.push_back(known.at(name));
    }
    known[node.node.outputs[0]] = run(call)[0];
  }
  return known.at("y");
}

TEST(Gemm, AllAttributes) {
  const Array x = counted({2, 3}), w = counted({3, 2});
  const Values plain{22, 28, 49, 64};
  expect_f32(gemm({"x", "w"}, {{"x", x}, {"w", w}}, {}), {2, 2}, plain);
  const Array xt = run({"Transpose", {x}})[0], wt = run({"Transpose", {w}})[0];
  const std::int64_t one = 1;
  expect_f32(gemm({"x", "w"}, {{"x", x}, {"w", wt}}, {{"transB", one}}), {2, 2}, plain);
  expect_f32(gemm({"x", "w"}, {{"x", xt}, {"w", w}}, {{"transA", one}}), {2, 2}, plain);
  expect_f32(gemm({"x", "w"}, {{"x", xt}, {"w", wt}}, {{"transA", one}, {"transB", one}}), {2, 2},
             plain);
  expect_f32(gemm({"x", "w"}, {{"x", x}, {"w", w}}, {{"alpha", 0.5}}), {2, 2}, {11, 14, 24.5F, 32});
  // Both operands activations, and one transposed.
  expect_f32(gemm({"x1", "x2"}, {{"x1", x}, {"x2", x}}, {{"transB", one}}), {2, 2},
             {14, 32, 32, 77});
  // One activation on both sides, transposed twice.
  expect_f32(gemm({"x", "x"}, {{"x", counted({2, 2})}}, {{"transA", one}, {"transB", one}}), {2, 2},
             {7, 15, 10, 22});
}

TEST(Gemm, ShapesOfC) {
  const Array x = counted({2, 3}), w = counted({3, 2});
  auto with = [&](const Array& c, shard::Attributes attributes = {}) {
    return gemm({"x", "w", "c"}, {{"x", x}, {"w", w}, {"c", c}}, std::move(attributes));
  };
  expect_f32(with(f32({2, 2}, {1, 2, 3, 4})), {2, 2}, {23, 30, 52, 68});
  expect_f32(with(f32({2}, {100, 200})), {2, 2}, {122, 228, 149, 264});
  expect_f32(with(f32({1, 2}, {100, 200})), {2, 2}, {122, 228, 149, 264});
  expect_f32(with(f32({2, 1}, {100, 200})), {2, 2}, {122, 128, 249, 264});
  expect_f32(with(f32({}, {1000})), {2, 2}, {1022, 1028, 1049, 1064});
  expect_f32(with(f32({2}, {1, 2}), {{"alpha", 2.0}, {"beta", -3.0}}), {2, 2}, {41, 50, 95, 122});
  expect_f32(with(f32({2}, {1, 2}), {{"beta", 0.5}}), {2, 2}, {22.5F, 29, 49.5F, 65});
  expect_f32(gemm({"x", "w", ""}, {{"x", x}, {"w", w}}, {}), {2, 2}, {22, 28, 49, 64});
}

TEST(Gemm, KeepsItsNameAndStrategy) {
  shard::Graph graph;
  graph.nodes.push_back({"fc",
                         "Gemm",
                         {"x", "w", "b"},
                         {"y"},
                         {{"transB", std::int64_t{1}}},
                         shard::Strategy{{1, 8}, {1, 8}, {1}}});
  const shard::WeightTable weights{{"w", {DType::f32, {16, 96}, {}}},
                                   {"b", {DType::f32, {16}, {}}}};
  const shard::Graph lowered = shard::lower(graph, weights);
  ASSERT_EQ(lowered.nodes.size(), 2u);
  EXPECT_EQ(lowered.nodes[0].name, "fc");
  EXPECT_EQ(lowered.nodes[0].op, "MatMul");
  EXPECT_EQ(lowered.nodes[0].inputs, (std::vector<std::string>{"x", "w.T"}));
  EXPECT_EQ(*lowered.nodes[0].strategy, (shard::Strategy{{1, 8}, {8, 1}}));
  EXPECT_EQ(lowered.nodes[1].name, "fc.add");
  EXPECT_EQ(lowered.nodes[1].outputs, std::vector<std::string>{"y"});
  graph.nodes[0].inputs = {"x"};
  EXPECT_THROW(shard::lower(graph, weights), Error);
}

}  // namespace
}  // namespace tpinfer::runtime::test
