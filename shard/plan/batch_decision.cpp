#include <optional>

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {
namespace {

// The factor of dimension 0 of the first input that is computed and of the largest rank among them:
// a bias that comes first has no batch.
std::optional<int> batch_factor(const BoundGraph& graph, const BoundNode& bound) {
  std::optional<int> factor;
  std::size_t most = 0;
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    const std::string& name = bound.node.inputs[i];
    if (name.empty() || graph.tensor(name).weight) continue;
    const std::vector<RuleDim>& dims = bound.rule.inputs[i];
    if (dims.size() <= most) continue;
    most = dims.size();
    factor.reset();
    if (!dims[0].empty()) factor = dims[0][0];
  }
  return factor;
}

}  // namespace

Decision batch_decision(const BoundGraph& graph, const BoundNode& bound, const Mesh& mesh,
                        const Fixed& fixed) {
  Decision decision;
  decision.stage = fixed.stage;
  const std::optional<int> f = batch_factor(graph, bound);
  if (!f) return decision;
  const Factor& factor = bound.rule.factors[static_cast<std::size_t>(*f)];
  if (!factor.cuttable || factor.contracted || mesh.size() == 1) return decision;
  std::vector<int> axes;
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    const bool cuts = mesh.axes[a].name != kPipelineAxis;
    if (cuts && mesh.axes[a].size > 1) axes.push_back(static_cast<int>(a));
  }
  decision.cuts.push_back({*f, axes, false});
  return decision;
}

}  // namespace tpinfer::shard
