#include "runtime/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "shard/file/read_integers.hpp"
#include "shard/plan/method.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::runtime {
namespace {

// What planning needs to know of a weight; a value that nobody read yet is read here.
shard::WeightInfo describe(shard::ModelFile& file, const shard::TensorInfo& weight, int part) {
  shard::WeightInfo info{file.compute_dtype(weight.path), weight.shape, std::nullopt, part};
  if (!shard::may_decide_shapes(weight)) return info;
  const auto known = file.table().constants.find(weight.name);
  info.constant =
      known != file.table().constants.end() ? known->second : shard::read_integers(file, weight);
  return info;
}

std::vector<shard::ModelTable> one(shard::ModelTable table) {
  std::vector<shard::ModelTable> tables;
  tables.push_back(std::move(table));
  return tables;
}

}  // namespace

Model::Model(shard::ModelTable table) : Model(one(std::move(table))) {}

Model::Model(std::vector<shard::ModelTable> tables) {
  for (shard::ModelTable& table : tables) {
    const int number = static_cast<int>(parts_.size());
    Part& part = *parts_.emplace_back(std::make_unique<Part>(std::move(table)));
    for (const shard::TensorInfo& weight : part.file.table().weights) {
      part.weight_names.push_back(weight.name);
      part.weights[weight.name] = describe(part.file, weight, number);
    }
    read_graphs(number);
  }
  for (int part = 0; part < static_cast<int>(parts_.size()); ++part) read_methods(part);
  for (int part = 0; part < static_cast<int>(parts_.size()); ++part) read_pipelines(part);
}

void Model::read_graphs(int number) {
  const Part& part = *parts_[static_cast<std::size_t>(number)];
  for (const shard::GraphInfo& graph : part.file.table().graphs) {
    try {
      graphs_.push_back({shard::parse_graph(graph.name, graph.json, part.weight_names), number});
      check_attributes(graphs_.back().graph);
    } catch (const Error& error) {
      const std::string text = error.what() + shard::missing_text(part.file.table());
      const bool named = text.find(graph.name) != std::string::npos;
      fail(error.fault(), named ? text : "graph " + graph.name + ": " + text);
    }
  }
}

void Model::read_methods(int number) {
  for (const shard::GraphInfo& info :
       parts_[static_cast<std::size_t>(number)]->file.table().calls.methods) {
    const std::string where = "method " + shard::printable(info.name);
    if (std::any_of(methods_.begin(), methods_.end(),
                    [&](const Method& known) { return known.graph.name == info.name; })) {
      continue;  // the first file that has it
    }
    try {
      const std::string selector = shard::graph_of_method(info.name, info.json);
      Method method{{}, number, selector.empty() ? -1 : find_graph(selector, number)};
      const shard::Graph* graph = nullptr;
      if (method.index >= 0) {
        const Entry& entry = graphs_[static_cast<std::size_t>(method.index)];
        graph = &entry.graph;
        method.part = entry.part;
      }
      method.graph = shard::compose_method(
          info.name, info.json, graph, parts_[static_cast<std::size_t>(method.part)]->weight_names);
      check_attributes(method.graph);
      methods_.push_back(std::move(method));
    } catch (const Error& error) {
      if (std::string(error.what()).starts_with(where)) throw;
      fail_in(where, error);
    }
  }
}

void Model::read_pipelines(int number) {
  const auto find = [&](const std::string& callee, bool is_method) {
    if (is_method && pipeline(callee)) {
      fail(Fault::data, callee + " is a pipeline; a step calls a graph or a method");
    }
    return is_method ? method(callee).signature : runnable(callee, number).signature;
  };
  const shard::CallInfo& calls = parts_[static_cast<std::size_t>(number)]->file.table().calls;
  for (const shard::GraphInfo& info : calls.pipelines) {
    if (pipeline(info.name)) continue;  // the first file that has it
    if (std::any_of(methods_.begin(), methods_.end(),
                    [&](const Method& known) { return known.graph.name == info.name; })) {
      fail(Fault::data, fmt::format("{} is both a method and a pipeline; give one another name",
                                    shard::printable(info.name)));
    }
    shard::PipelineSpec spec = shard::parse_pipeline(info.name, info.json, find);
    spec.file = number;
    pipelines_.push_back(std::move(spec));
  }
}

int Model::find_graph(const std::string& selector, int part) const {
  std::string known;
  std::vector<int> found;
  for (std::size_t i = 0; i < graphs_.size(); ++i) {
    const Entry& entry = graphs_[i];
    if (selector == fmt::format("{}", i)) return static_cast<int>(i);
    if (selector.empty()) return 0;
    if (selector == entry.graph.name) {
      found.push_back(static_cast<int>(i));
      if (entry.part == part) return static_cast<int>(i);
    }
    known += fmt::format("{}{} ({})", i ? ", " : "", i, entry.graph.name);
  }
  if (found.size() == 1) return found[0];
  if (found.size() > 1) {
    fail(Fault::data, fmt::format("several files have a graph {}; choose by index: {}",
                                  shard::printable(selector), known));
  }
  fail(Fault::data, graphs_.empty() ? "the model has no graph under /graphs"
                                    : fmt::format("no graph {}; the model has {}",
                                                  shard::printable(selector), known));
}

Runnable Model::runnable(const std::string& selector, int part) const {
  const int index = find_graph(selector, part);
  const Entry& entry = graphs_[static_cast<std::size_t>(index)];
  shard::Graph graph = shard::lower(entry.graph, weights(static_cast<std::size_t>(entry.part)));
  const shard::Signature signature{graph.name, graph.inputs, graph.outputs,
                                   shard::Signature::Kind::graph, entry.part};
  return {std::move(graph), signature, index};
}

Runnable Model::method(const std::string& name) const {
  for (const Method& method : methods_) {
    if (method.graph.name != name) continue;
    shard::Graph graph = shard::lower(method.graph, weights(static_cast<std::size_t>(method.part)));
    const shard::Signature signature{graph.name, graph.inputs, graph.outputs,
                                     shard::Signature::Kind::method, method.part};
    return {std::move(graph), signature, method.index};
  }
  std::vector<std::string> known = method_names();
  for (const std::string& pipeline : pipeline_names()) known.push_back(pipeline);
  fail(Fault::data, fmt::format("no method {}; the model has {}", shard::printable(name),
                                known.empty() ? "none, only graphs"
                                              : fmt::format("{}", fmt::join(known, ", "))));
}

const shard::PipelineSpec* Model::pipeline(const std::string& name) const {
  for (const shard::PipelineSpec& pipeline : pipelines_) {
    if (pipeline.name == name) return &pipeline;
  }
  return nullptr;
}

std::vector<std::string> Model::method_names() const {
  std::vector<std::string> names;
  for (const Method& method : methods_) names.push_back(method.graph.name);
  return names;
}

std::vector<std::string> Model::pipeline_names() const {
  std::vector<std::string> names;
  for (const shard::PipelineSpec& pipeline : pipelines_) names.push_back(pipeline.name);
  return names;
}

std::int64_t Model::version() const {
  std::int64_t version = 0;
  for (const auto& part : parts_) version = std::max(version, part->file.table().calls.version);
  return version;
}

void Model::share_weight(std::size_t part, const std::string& name, std::size_t of) {
  parts_.at(part)->weights.at(name).file = static_cast<int>(of);
}

std::vector<shard::ModelFile*> Model::files() {
  std::vector<shard::ModelFile*> files;
  for (const auto& part : parts_) files.push_back(&part->file);
  return files;
}

std::size_t Model::bytes_read() const {
  std::size_t bytes = 0;
  for (const auto& part : parts_) bytes += part->file.bytes_read();
  return bytes;
}

std::size_t Model::files_opened() const {
  std::size_t count = 0;
  for (const auto& part : parts_) count += part->file.files_opened();
  return count;
}

std::size_t Model::files_in_all() const {
  std::size_t count = 0;
  for (const auto& part : parts_) count += part->file.table().files.size();
  return count;
}

std::vector<std::string> Model::unused_weights() const {
  std::vector<std::set<std::string>> used(parts_.size());
  auto add = [&](const shard::Graph& graph, int part) {
    for (const shard::Node& node : graph.nodes) {
      for (const std::string& input : node.inputs) {
        used[static_cast<std::size_t>(part)].insert(input);
        used[static_cast<std::size_t>(part)].insert(input.substr(0, input.rfind('[')));
      }
    }
  };
  for (const Entry& entry : graphs_) add(entry.graph, entry.part);
  for (const Method& method : methods_) add(method.graph, method.part);
  std::vector<std::string> unused;
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    for (const auto& [name, info] : weights(part)) {
      if (!used[part].contains(name)) unused.push_back(name);
    }
  }
  return unused;
}

}  // namespace tpinfer::runtime
