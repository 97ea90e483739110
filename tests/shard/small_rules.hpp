// Operators and graphs of the planning tests. Rules are values: planning knows no operator, so the
// tests bring their own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard::test {

// An operator whose rule is this text.
template <typename Text>
RuleAnswer answer(const RuleRequest& request, Text text) {
  return {{text, {}}, {request.dtypes[0]}};
}

// Grouped-query attention: g key/value heads, r query heads for each, e and f their sizes.
inline RuleText with_heads(const RuleRequest& request, const std::string& text) {
  RuleText rule{text, {}};
  for (const char* factor : {"g", "r", "e", "f"}) {
    if (text.find(factor) == text.npos) continue;
    rule.extents[factor] = int_attribute(request.node, factor, 0);
  }
  return rule;
}

inline const RuleTable& rules() {
  static const RuleTable table{
      {"MatMul", [](const RuleRequest& r) { return answer(r, "m k, k n -> m n"); }},
      {"Add",
       [](const RuleRequest& r) {
         return answer(r, r.shapes[1].size() == 1 ? "m n, n -> m n" : "m n, m n -> m n");
       }},
      {"Relu", [](const RuleRequest& r) { return answer(r, "... -> ..."); }},
      {"Neg", [](const RuleRequest& r) { return answer(r, "... -> ..."); }},
      {"Softmax", [](const RuleRequest& r) { return answer(r, "m n! -> m n!"); }},
      {"Transpose", [](const RuleRequest& r) { return answer(r, "m n -> n m"); }},
      {"ReduceSum", [](const RuleRequest& r) { return answer(r, "m! n -> n"); }},
      {"Heads",
       [](const RuleRequest& r) {
         return RuleAnswer{with_heads(r, "t d, d (g r e) -> t g r e"), {r.dtypes[0]}};
       }},
      {"SharedHeads",
       [](const RuleRequest& r) {
         return RuleAnswer{with_heads(r, "s d, d (g e) -> s g e"), {r.dtypes[0]}};
       }},
      {"Attention",
       [](const RuleRequest& r) { return answer(r, "t g r e!, s! g e!, s! g f -> t g r f"); }},
      {"Merge", [](const RuleRequest& r) { return answer(r, "t g r f -> t (g r f)"); }},
      {"Project",
       [](const RuleRequest& r) {
         return RuleAnswer{with_heads(r, "t (g r f), (g r f) d -> t d"), {r.dtypes[0]}};
       }},
  };
  return table;
}

inline Node node(std::string op, std::string name, std::vector<std::string> inputs,
                 std::string output, Attributes attributes = {}) {
  return {std::move(name),     std::move(op),         std::move(inputs),
          {std::move(output)}, std::move(attributes), {}};
}

inline WeightInfo weight(Shape shape) { return {DType::f32, std::move(shape), {}}; }

// A graph with the input x and one output.
inline BoundGraph bound(const Shape& x, std::vector<Node> nodes, const std::string& output,
                        const WeightTable& weights) {
  Graph graph;
  graph.name = "main";
  graph.inputs.push_back({"x", DType::f32, {}});
  for (std::int64_t extent : x) graph.inputs[0].shape.push_back({extent, ""});
  graph.nodes = std::move(nodes);
  graph.outputs = {output};
  return bind(graph, {}, weights, rules());
}

// y = -(x w), the network of the acceptance cases: x (128,96), w (96,16).
inline BoundGraph matmul_neg() {
  return bound({128, 96}, {node("MatMul", "fc", {"x", "w"}, "p"), node("Neg", "neg", {"p"}, "y")},
               "y", {{"w", weight({96, 16})}});
}

// Relu(x w1 + b1) w2 + b2.
inline BoundGraph two_layers(std::int64_t batch, std::int64_t in, std::int64_t hidden,
                             std::int64_t out) {
  return bound({batch, in},
               {node("MatMul", "fc1", {"x", "w1"}, "p"), node("Add", "add1", {"p", "b1"}, "q"),
                node("Relu", "relu", {"q"}, "h"), node("MatMul", "fc2", {"h", "w2"}, "r"),
                node("Add", "add2", {"r", "b2"}, "y")},
               "y",
               {{"w1", weight({in, hidden})},
                {"b1", weight({hidden})},
                {"w2", weight({hidden, out})},
                {"b2", weight({out})}});
}

// The fault and the text of what `body` throws.
template <typename Body>
std::pair<int, std::string> thrown(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return {static_cast<int>(error.fault()), error.what()};
  }
  return {0, "nothing was thrown"};
}

}  // namespace tpinfer::shard::test

#define EXPECT_THROWN(body, code, part)                                                    \
  do {                                                                                     \
    const auto [fault_, text_] = ::tpinfer::shard::test::thrown([&] { (void)(body); });    \
    EXPECT_EQ(fault_, code) << text_;                                                      \
    EXPECT_NE(text_.find(part), text_.npos) << "wanted: " << (part) << "\ngot: " << text_; \
  } while (false)
