#include "shard/plan/batch.hpp"

#include <fmt/format.h>

#include <optional>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

// Where a tensor has the batch: the dimension whose leading factor it is.
using BatchDims = std::map<std::string, std::size_t>;

// What is said without the option that asks for pieces.
[[noreturn]] void refuse(const BoundNode& bound, const std::string& why) {
  fail(Fault::usage, fmt::format("{} {}", label_of(bound.node), why));
}

// The rule's factor that is the batch of `rows` rows (or a multiple: several per row), by the
// inputs that carry it.
std::optional<int> batch_factor(const BoundNode& bound, const BatchDims& dims, std::int64_t rows) {
  std::optional<int> found;
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    const auto at = dims.find(bound.node.inputs[i]);
    if (at == dims.end()) continue;
    const RuleDim& dim = bound.rule.inputs[i][at->second];
    if (dim.empty() || (found && *found != dim[0])) refuse(bound, "mixes rows of the batch");
    found = dim[0];
    if (bound.rule.factors[static_cast<std::size_t>(dim[0])].extent % rows != 0) {
      refuse(bound, "joins rows of the batch");
    }
  }
  return found;
}

// A tensor without the batch must not be as long as it: it fits these rows only.
void check_others(const BoundNode& bound, const BatchDims& dims, int factor) {
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    const bool carries = dims.contains(bound.node.inputs[i]);
    for (std::size_t d = 0; d < bound.rule.inputs[i].size(); ++d) {
      if (carries && d == dims.at(bound.node.inputs[i])) continue;
      const RuleDim& dim = bound.rule.inputs[i][d];
      if (!dim.empty() && dim[0] == factor) {
        refuse(bound, fmt::format("ties the batch to {}", bound.node.inputs[i]));
      }
    }
  }
}

void follow_rows(const Graph& graph, const BoundGraph& bound, const std::string& symbol) {
  BatchDims dims;
  for (const ValueSpec& input : graph.inputs) {
    for (std::size_t d = 0; d < input.shape.size(); ++d) {
      if (input.shape[d].symbol != symbol) continue;
      if (d != 0) {
        fail(Fault::usage,
             fmt::format("input {} has \"{}\" at dimension {}, not 0", input.name, symbol, d));
      }
      dims[input.name] = 0;
    }
  }
  std::int64_t rows = 1;
  for (const auto& [name, dim] : dims) rows = bound.tensor(name).shape[dim];
  for (const BoundNode& node : bound.nodes) {
    const std::optional<int> factor = batch_factor(node, dims, rows);
    if (!factor) continue;
    check_others(node, dims, *factor);
    const Factor& f = node.rule.factors[static_cast<std::size_t>(*factor)];
    if (f.whole || f.contracted) refuse(node, "needs all rows of the batch at once");
    for (std::size_t o = 0; o < node.node.outputs.size(); ++o) {
      const auto& out = node.rule.outputs[o];
      for (std::size_t d = 0; d < out.size(); ++d) {
        if (!out[d].empty() && out[d][0] == *factor) dims[node.node.outputs[o]] = d;
      }
    }
  }
  for (const std::string& output : bound.outputs) {
    const auto at = dims.find(output);
    if (at == dims.end() || at->second != 0 || bound.tensor(output).shape[0] != rows) {
      fail(Fault::usage, fmt::format("output {} has no batch at dimension 0", output));
    }
  }
}

}  // namespace

std::string batch_symbol(const std::vector<ValueSpec>& inputs) {
  std::string symbol;
  for (const ValueSpec& input : inputs) {
    if (input.shape.empty() || input.shape[0].symbol.empty()) continue;
    if (!symbol.empty() && symbol != input.shape[0].symbol) return "";
    symbol = input.shape[0].symbol;
  }
  return symbol;
}

void check_streamable(const Graph& graph, const BoundGraph& bound, const std::string& symbol,
                      const std::string& option) {
  try {
    follow_rows(graph, bound, symbol);
  } catch (const Error& error) {
    fail(error.fault(), fmt::format("{}: {}; run it without {}", option, error.what(), option));
  }
}

std::vector<std::string> batch_inputs(const Graph& graph, const BoundGraph& bound) {
  const std::string symbol = batch_symbol(graph.inputs);
  std::vector<std::string> names;
  std::int64_t rows = -1;
  for (const ValueSpec& input : graph.inputs) {
    if (input.shape.empty()) continue;
    if (symbol.empty()) {
      const std::int64_t extent = bound.tensor(input.name).shape[0];
      if (rows < 0) rows = extent;
      if (extent == rows) names.push_back(input.name);
    } else if (input.shape[0].symbol == symbol) {
      names.push_back(input.name);
    }
  }
  return names;
}

std::vector<int> batch_factors(const BoundGraph& bound, const std::vector<std::string>& inputs) {
  BatchDims dims;
  for (const std::string& input : inputs) dims[input] = 0;
  std::vector<int> factors;
  for (const BoundNode& node : bound.nodes) {
    int found = -1;
    bool mixed = false;
    for (std::size_t i = 0; i < node.node.inputs.size(); ++i) {
      const auto at = dims.find(node.node.inputs[i]);
      if (at == dims.end()) continue;
      const RuleDim& dim = node.rule.inputs[i][at->second];
      mixed = mixed || dim.empty() || (found >= 0 && found != dim[0]);
      if (!dim.empty()) found = dim[0];
    }
    if (found >= 0) {
      const Factor& factor = node.rule.factors[static_cast<std::size_t>(found)];
      mixed = mixed || !factor.cuttable || factor.contracted;
    }
    factors.push_back(mixed ? -1 : found);
    if (factors.back() < 0) continue;
    for (std::size_t o = 0; o < node.node.outputs.size(); ++o) {
      const auto& out = node.rule.outputs[o];
      for (std::size_t d = 0; d < out.size(); ++d) {
        if (!out[d].empty() && out[d][0] == found) dims[node.node.outputs[o]] = d;
      }
    }
  }
  return factors;
}

}  // namespace tpinfer::shard
