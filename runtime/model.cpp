#include "runtime/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "shard/file/read_integers.hpp"

namespace tpinfer::runtime {
namespace {

// What planning needs to know of a weight; a value that nobody read yet is read here.
shard::WeightInfo describe(shard::ModelFile& file, const shard::TensorInfo& weight) {
  shard::WeightInfo info{file.compute_dtype(weight.path), weight.shape, std::nullopt};
  if (!shard::may_decide_shapes(weight)) return info;
  const auto known = file.table().constants.find(weight.name);
  info.constant =
      known != file.table().constants.end() ? known->second : shard::read_integers(file, weight);
  return info;
}

}  // namespace

Model::Model(shard::ModelTable table) : file_(std::move(table)) {
  std::vector<std::string> names;
  for (const shard::TensorInfo& weight : this->table().weights) {
    names.push_back(weight.name);
    weights_[weight.name] = describe(file_, weight);
  }
  for (const shard::GraphInfo& graph : this->table().graphs) {
    try {
      graphs_.push_back(shard::parse_graph(graph.name, graph.json, names));
      check_attributes(graphs_.back());
    } catch (const Error& error) {
      const std::string text = error.what() + shard::missing_text(this->table());
      const bool named = text.find(graph.name) != std::string::npos;
      fail(error.fault(), named ? text : "graph " + graph.name + ": " + text);
    }
  }
}

shard::Graph Model::graph(const std::string& selector) const {
  std::string known;
  for (std::size_t i = 0; i < graphs_.size(); ++i) {
    if (selector.empty() || selector == graphs_[i].name || selector == fmt::format("{}", i)) {
      return shard::lower(graphs_[i], weights_);
    }
    known += fmt::format("{}{} ({})", i ? ", " : "", i, graphs_[i].name);
  }
  fail(Fault::data, graphs_.empty()
                        ? "the model has no graph under /graphs"
                        : fmt::format("no graph {}; the model has {}", selector, known));
}

std::vector<std::string> Model::unused_weights() const {
  std::set<std::string> used;
  for (const shard::Graph& graph : graphs_) {
    for (const shard::Node& node : graph.nodes) {
      for (const std::string& input : node.inputs) {
        used.insert(input);
        used.insert(input.substr(0, input.rfind('[')));
      }
    }
  }
  std::vector<std::string> unused;
  for (const auto& [name, info] : weights_) {
    if (!used.contains(name)) unused.push_back(name);
  }
  return unused;
}

}  // namespace tpinfer::runtime
