#include <fmt/format.h>

#include <utility>

#include "kernels/base/error.hpp"
#include "shard/plan/bound_graph.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::shard {
namespace {

// Gemm's alpha and beta as an operator of their own: a rounding between the operators, as the
// definition of the bits asks.
Node scale(const std::string& name, const std::string& input, const std::string& output,
           double factor) {
  return {name, "Scale", {input}, {output}, {{"factor", factor}}, {}};
}

// A matrix seen transposed: a weight's view, or a Transpose node.
std::string transposed(const std::string& base, const std::string& input, bool is_weight,
                       std::vector<Node>& nodes) {
  if (is_weight) return input + ".T";
  const std::string output = base + ".transposed_" + input;
  nodes.push_back(
      {output, "Transpose", {input}, {output}, {{"perm", std::vector<std::int64_t>{1, 0}}}, {}});
  return output;
}

void lower_gemm(const Node& node, const WeightTable& weights, std::vector<Node>& nodes) {
  if (node.inputs.size() < 2 || node.inputs.size() > 3 || node.outputs.size() != 1) {
    fail(Fault::data,
         fmt::format("{}: wants inputs A, B and optionally C, and one output", label_of(node)));
  }
  auto is_weight = [&](const std::string& name) {
    return weights.contains(name) || weights.contains(name.substr(0, name.rfind('[')));
  };
  std::string a = node.inputs[0], b = node.inputs[1];
  const std::string c = node.inputs.size() > 2 ? node.inputs[2] : "";
  if (int_attribute(node, "transA", 0)) a = transposed(node.name, a, is_weight(a), nodes);
  if (int_attribute(node, "transB", 0)) b = transposed(node.name, b, is_weight(b), nodes);
  const double alpha = float_attribute(node, "alpha", 1.0);
  const double beta = float_attribute(node, "beta", 1.0);
  const GemmOrigin origin{int_attribute(node, "transA", 0) != 0,
                          int_attribute(node, "transB", 0) != 0};
  std::vector<Node> chain{{node.name, "MatMul", {a, b}, {}, {}, {}, origin}};
  if (node.strategy) {
    chain[0].strategy = strategy_of_product(label_of(node), origin, *node.strategy, Fault::data);
  }
  if (alpha != 1.0) chain.push_back(scale(node.name + ".alpha", "", "", alpha));
  if (!c.empty()) {
    std::string addend = c;
    if (beta != 1.0) {
      addend = node.name + ".beta";
      nodes.push_back(scale(addend, c, addend, beta));
    }
    chain.push_back({node.name + ".add", "Add", {"", addend}, {}, {}, {}});
  }
  std::string made;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (i > 0) chain[i].inputs[0] = made;
    made = i == 0 ? node.name + ".matmul" : chain[i].name;
    if (i + 1 == chain.size()) made = node.outputs[0];
    chain[i].outputs = {made};
    nodes.push_back(std::move(chain[i]));
  }
}

}  // namespace

Graph lower(const Graph& graph, const WeightTable& weights) {
  Graph out = graph;
  out.nodes.clear();
  for (ValueSpec& input : out.inputs) {
    if (is_float(input.dtype)) input.dtype = DType::f32;  // what kernels compute with
  }
  for (const Node& node : graph.nodes) {
    if (node.op == "Gemm") {
      lower_gemm(node, weights, out.nodes);
    } else {
      out.nodes.push_back(node);
    }
  }
  return out;
}

}  // namespace tpinfer::shard
