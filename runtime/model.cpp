#include "runtime/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"

namespace tpinfer::runtime {
namespace {

// Integer weights this small may be shape inputs, whose values planning needs.
constexpr std::int64_t kMaxConstant = 1024;

std::optional<std::vector<std::int64_t>> constant_value(shard::ModelFile& file,
                                                        const shard::DatasetInfo& info) {
  if ((info.stored != DType::i64 && info.stored != DType::i32) ||
      element_count(info.shape) > kMaxConstant) {
    return std::nullopt;
  }
  const auto count = static_cast<std::size_t>(element_count(info.shape));
  std::vector<std::int64_t> values(count);
  if (info.stored == DType::i64) {
    file.read(info.path, whole_box(info.shape), values.data());
  } else {
    std::vector<std::int32_t> narrow(count);
    file.read(info.path, whole_box(info.shape), narrow.data());
    std::copy(narrow.begin(), narrow.end(), values.begin());
  }
  return values;
}

}  // namespace

Model::Model(shard::ModelTable table) : file_(std::move(table)) {
  std::vector<std::string> names;
  for (const shard::DatasetInfo& info : this->table().weights) {
    names.push_back(info.name);
    weights_[info.name] = {file_.compute_dtype(info.path), info.shape, constant_value(file_, info)};
  }
  for (const shard::GraphInfo& graph : this->table().graphs) {
    try {
      graphs_.push_back(shard::parse_graph(graph.name, graph.json, names));
      check_attributes(graphs_.back());
    } catch (const Error& error) {
      if (std::string(error.what()).find(graph.name) != std::string::npos) throw;
      fail_in("graph " + graph.name, error);
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
