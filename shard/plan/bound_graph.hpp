// A graph with every extent known: symbols bound, operators lowered, shapes inferred.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shard/layout/rule.hpp"
#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

// Where a weight's elements come from: a dataset, a box of it, seen transposed or not.
struct WeightView {
  std::string dataset;      // name under /weights
  Box box;                  // the part of the dataset, before transposition
  bool transposed = false;  // the two dimensions swapped
  int file = 0;             // of several model files, whose dataset it is
};

struct Tensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::optional<WeightView> weight;  // set for weights
};

// What the model file says of a weight, and the value of a small integer one (shape inputs).
struct WeightInfo {
  DType dtype = DType::f32;  // as kernels see it
  Shape shape;
  std::optional<std::vector<std::int64_t>> constant;
  int file = 0;  // of several model files, the one that it is read from
};
using WeightTable = std::map<std::string, WeightInfo>;

// What an operator's rule function may look at.
struct RuleRequest {
  const Node& node;
  std::vector<Shape> shapes;  // per input; () for an optional input left out
  std::vector<DType> dtypes;
  std::vector<bool> present;
  std::vector<std::optional<std::vector<std::int64_t>>> constants;  // integer weights
};

struct RuleAnswer {
  RuleText rule;
  std::vector<DType> dtypes;  // per output
};

// Operator name -> its contract. Rules live with the operators (runtime); planning receives them
// as this value. A rule function throws Fault::data, the message without the node's name.
using RuleFunction = RuleAnswer (*)(const RuleRequest&);
using RuleTable = std::map<std::string, RuleFunction>;

struct BoundNode {
  Node node;
  Rule rule;
};

struct BoundGraph {
  std::string name;
  std::map<std::string, Tensor> tensors;
  std::vector<BoundNode> nodes;  // in an order that can be executed
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;

  const Tensor& tensor(const std::string& tensor_name) const { return tensors.at(tensor_name); }
};

using Symbols = std::map<std::string, std::int64_t>;

// "MatMul fc1": how messages call a node.
std::string label_of(const Node& node);

// Binds `graph`. Throws Fault::data naming the node: unknown operator (with the known ones),
// unbound symbol, a rule's refusal, an output that is a weight.
BoundGraph bind(const Graph& graph, const Symbols& symbols, const WeightTable& weights,
                const RuleTable& rules);

// Every operator that RuleTable does not know but that is a composition of known ones, written
// out: Gemm becomes MatMul, Scale and Add, a transposed weight becomes the weight's transposed
// view. The MatMul keeps the node's name; other new names contain a '.', e.g. "fc1.add".
Graph lower(const Graph& graph, const WeightTable& weights);

// A name as a node writes it -> the view it means: "w", "w[:,0:64]", "w.T" (made by lower()).
// Throws Fault::data for bounds outside the dataset.
WeightView parse_view(const std::string& text, const WeightTable& weights);

}  // namespace tpinfer::shard
