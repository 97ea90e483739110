#include "shard/plan/batch.hpp"

#include <fmt/format.h>

#include <optional>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

// Where a tensor has the batch: the dimension whose leading factor it is.
using BatchDims = std::map<std::string, std::size_t>;

// The rule's factor that is the batch, by the inputs that carry it.
std::optional<int> batch_factor(const BoundNode& bound, const BatchDims& dims) {
  std::optional<int> found;
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    const auto at = dims.find(bound.node.inputs[i]);
    if (at == dims.end()) continue;
    const RuleDim& dim = bound.rule.inputs[i][at->second];
    if (dim.empty()) continue;  // a batch of one
    if (found && *found != dim[0]) {
      fail(Fault::usage,
           fmt::format("--batch-size: {} mixes rows of the batch", label_of(bound.node)));
    }
    found = dim[0];
  }
  return found;
}

}  // namespace

std::string batch_symbol(const Graph& graph) {
  std::string symbol;
  for (const ValueSpec& input : graph.inputs) {
    if (input.shape.empty() || input.shape[0].symbol.empty()) continue;
    if (!symbol.empty() && symbol != input.shape[0].symbol) return "";
    symbol = input.shape[0].symbol;
  }
  return symbol;
}

void check_streamable(const Graph& graph, const BoundGraph& bound, const std::string& symbol) {
  BatchDims dims;
  for (const ValueSpec& input : graph.inputs) {
    for (std::size_t d = 0; d < input.shape.size(); ++d) {
      if (input.shape[d].symbol != symbol) continue;
      if (d != 0) {
        fail(Fault::usage, fmt::format("--batch-size: input {} has \"{}\" at dimension {}, not 0",
                                       input.name, symbol, d));
      }
      dims[input.name] = 0;
    }
  }
  for (const BoundNode& node : bound.nodes) {
    const std::optional<int> factor = batch_factor(node, dims);
    if (!factor) continue;
    const Factor& f = node.rule.factors[static_cast<std::size_t>(*factor)];
    if (f.whole || f.contracted) {
      fail(Fault::usage, fmt::format("--batch-size: {} needs all rows of the batch at once; run it "
                                     "without --batch-size",
                                     label_of(node.node)));
    }
    for (std::size_t o = 0; o < node.node.outputs.size(); ++o) {
      const auto& out = node.rule.outputs[o];
      for (std::size_t d = 0; d < out.size(); ++d) {
        if (!out[d].empty() && out[d][0] == *factor) dims[node.node.outputs[o]] = d;
      }
    }
  }
  for (const std::string& output : bound.outputs) {
    const auto at = dims.find(output);
    if (at == dims.end() || at->second != 0 || bound.tensor(output).shape.empty()) {
      fail(Fault::usage,
           fmt::format("--batch-size: output {} has no batch at dimension 0", output));
    }
  }
}

}  // namespace tpinfer::shard
