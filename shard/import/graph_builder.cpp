#include "shard/import/graph_builder.hpp"

#include <fmt/format.h>

#include <utility>

namespace tpinfer::shard {

std::string GraphBuilder::add(const std::string& op, std::vector<std::string> inputs,
                              Attributes attributes) {
  Node node;
  std::string output = scope_ + "/" + op;
  for (int number = 2; !names_.insert(output).second; ++number) {
    output = fmt::format("{}/{}_{}", scope_, op, number);
  }
  node.name = output;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  node.attributes = std::move(attributes);
  graph_.nodes.push_back(std::move(node));
  return output;
}

std::string GraphBuilder::rename_last(const std::string& tensor, const std::string& name) {
  if (graph_.nodes.empty() || graph_.nodes.back().outputs[0] != tensor) return tensor;
  Node& node = graph_.nodes.back();
  names_.erase(tensor);
  names_.insert(name);
  node.outputs[0] = name;
  node.name = name;
  return name;
}

std::string GraphBuilder::add_weight(TensorSource weight) {
  const std::string name = weight.name;
  if (names_.insert(name).second) weights_.push_back(std::move(weight));
  return name;
}

std::string GraphBuilder::add_scalar(const std::string& name, float value) {
  return add_weight(tensor_of(scope_ + "/" + name, {}, std::vector<float>{value}));
}

ModelContents GraphBuilder::finish(const std::string& name, std::vector<std::string> outputs) {
  graph_.name = name;
  graph_.outputs = std::move(outputs);
  std::vector<std::string> weight_names;
  for (const TensorSource& weight : weights_) weight_names.push_back(weight.name);
  ModelContents contents;
  contents.graphs.push_back({name, to_json(graph_)});
  parse_graph(name, contents.graphs[0].json, weight_names);
  contents.weights = std::move(weights_);
  return contents;
}

}  // namespace tpinfer::shard
