#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard {
namespace {

Shape bind_shape(const ValueSpec& value, const Symbols& symbols) {
  Shape shape;
  for (const Extent& extent : value.shape) {
    if (extent.symbol.empty()) {
      shape.push_back(extent.value);
      continue;
    }
    const auto found = symbols.find(extent.symbol);
    if (found == symbols.end()) {
      fail(Fault::data, fmt::format("input {}: extent \"{}\" has no value; give that input a file",
                                    value.name, extent.symbol));
    }
    shape.push_back(found->second);
  }
  return shape;
}

class Builder {
 public:
  Builder(const WeightTable& weights, const RuleTable& rules) : weights_(weights), rules_(rules) {}

  void add_input(const ValueSpec& value, const Symbols& symbols) {
    graph.inputs.push_back(value.name);
    graph.tensors[value.name] = {value.name, value.dtype, bind_shape(value, symbols), {}};
  }

  void add_node(const Node& node) {
    const auto rule = rules_.find(node.op);
    if (rule == rules_.end()) unknown_operator(node);
    RuleRequest request{node, {}, {}, {}, {}};
    for (const std::string& name : node.inputs) {
      if (!name.empty()) add_weight(node, name);
      const Tensor absent;
      const Tensor& tensor = name.empty() ? absent : graph.tensors.at(name);
      request.shapes.push_back(tensor.shape);
      request.dtypes.push_back(tensor.dtype);
      request.present.push_back(!name.empty());
      request.constants.push_back(constant_of(tensor));
    }
    try {
      const RuleAnswer answer = rule->second(request);
      BoundNode bound{node, bind_rule(label_of(node), answer.rule, request.shapes)};
      add_outputs(node, output_shapes(bound.rule), answer.dtypes);
      graph.nodes.push_back(std::move(bound));
    } catch (const Error& error) {
      if (std::string(error.what()).starts_with(label_of(node))) throw;
      fail_in(label_of(node), error);
    }
  }

  BoundGraph graph;

 private:
  [[noreturn]] void unknown_operator(const Node& node) {
    std::string known;
    for (const auto& [name, rule] : rules_) known += (known.empty() ? "" : " ") + name;
    fail(Fault::data,
         fmt::format("node {}: unknown operator \"{}\"; known: {}", node.name, node.op, known));
  }

  // A name that nobody made so far is a weight or a view of one.
  void add_weight(const Node& node, const std::string& name) {
    if (graph.tensors.contains(name)) return;
    try {
      const WeightView view = parse_view(name, weights_);
      Tensor tensor{name, weights_.at(view.dataset).dtype, view.box.extent, view};
      if (view.transposed) std::swap(tensor.shape[0], tensor.shape[1]);
      graph.tensors[name] = std::move(tensor);
    } catch (const Error& error) {
      fail_in(label_of(node), error);
    }
  }

  std::optional<std::vector<std::int64_t>> constant_of(const Tensor& tensor) const {
    if (!tensor.weight) return std::nullopt;
    return weights_.at(tensor.weight->dataset).constant;
  }

  void add_outputs(const Node& node, const std::vector<Shape>& shapes,
                   const std::vector<DType>& dtypes) {
    if (node.outputs.size() > shapes.size()) {
      fail(Fault::data, fmt::format("{} outputs named, the operator has {}", node.outputs.size(),
                                    shapes.size()));
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      element_count(shapes[i]);  // refuses an overflow before anything is allocated
      graph.tensors[node.outputs[i]] = {node.outputs[i], dtypes[i], shapes[i], {}};
    }
  }

  const WeightTable& weights_;
  const RuleTable& rules_;
};

}  // namespace

std::string label_of(const Node& node) { return fmt::format("{} {}", node.op, node.name); }

BoundGraph bind(const Graph& graph, const Symbols& symbols, const WeightTable& weights,
                const RuleTable& rules) {
  if (!graph.states.empty()) {
    fail(Fault::data,
         fmt::format("graph {}: it declares states; this release runs graphs without", graph.name));
  }
  Builder builder(weights, rules);
  builder.graph.name = graph.name;
  for (const ValueSpec& value : graph.inputs) builder.add_input(value, symbols);
  for (const Node& node : graph.nodes) builder.add_node(node);
  for (const std::string& output : graph.outputs) {
    const auto found = builder.graph.tensors.find(output);
    if (found == builder.graph.tensors.end() || found->second.weight) {
      fail(Fault::data, fmt::format("graph {}: output {} is made by no node", graph.name, output));
    }
  }
  builder.graph.outputs = graph.outputs;
  return std::move(builder.graph);
}

}  // namespace tpinfer::shard
