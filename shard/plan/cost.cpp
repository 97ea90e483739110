#include "shard/plan/cost.hpp"

#include <algorithm>
#include <cmath>

namespace tpinfer::shard {
namespace {

std::int64_t largest_division(std::int64_t extent, const Mesh& mesh, const std::vector<int>& axes,
                              Division division) {
  std::int64_t most = 0;
  for (int r : mesh.group_of(axes, 0)) {
    most = std::max(most, divide(extent, mesh, axes, r, division).size());
  }
  return most;
}

}  // namespace

std::int64_t largest_part(const Shape& shape, const Layout& layout, const Mesh& mesh) {
  std::int64_t count = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::vector<int> axes = layout.axes_of(static_cast<int>(d));
    count *= axes.empty() ? shape[d] : largest_division(shape[d], mesh, axes, layout.divisions[d]);
  }
  return count;
}

double compute_cost(const BoundGraph& graph, const BoundNode& bound, const std::vector<Cut>& cuts,
                    const Mesh& mesh, const CostTable& costs) {
  const Rule& rule = bound.rule;
  double flops = 0;
  const bool sums = std::any_of(rule.factors.begin(), rule.factors.end(),
                                [](const Factor& f) { return f.contracted; });
  if (sums) {
    flops = 2;
    for (std::size_t f = 0; f < rule.factors.size(); ++f) {
      std::int64_t extent = rule.factors[f].extent;
      for (const Cut& c : cuts) {
        if (c.factor == static_cast<int>(f)) {
          extent = largest_division(extent, mesh, c.axes, {1, c.by_leaf});
        }
      }
      flops *= static_cast<double>(extent);
    }
  }
  double bytes = 0;
  auto add = [&](const std::string& name, const std::vector<RuleDim>& dims, bool output) {
    if (name.empty()) return;
    const Tensor& tensor = graph.tensor(name);
    const Layout layout = layout_of(rule, dims, output, cuts, mesh);
    bytes += static_cast<double>(largest_part(tensor.shape, layout, mesh)) *
             static_cast<double>(size_of(tensor.dtype));
  };
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    add(bound.node.inputs[i], rule.inputs[i], false);
  }
  for (std::size_t o = 0; o < bound.node.outputs.size(); ++o) {
    add(bound.node.outputs[o], rule.outputs[o], true);
  }
  return flops / costs.flops_per_second + bytes / costs.memory_bytes_per_second;
}

double transfer_cost(PlanStep::Kind kind, const std::vector<int>& axes, const Tensor& tensor,
                     const Layout& to, const Mesh& mesh, const CostTable& costs) {
  const double bytes = static_cast<double>(largest_part(tensor.shape, to, mesh)) *
                       static_cast<double>(size_of(tensor.dtype));
  if (kind == PlanStep::Kind::send)
    return costs.latency_seconds + bytes / costs.wire_bytes_per_second;
  if (kind == PlanStep::Kind::narrow) return bytes / costs.memory_bytes_per_second;
  const double ranks = mesh.size_of(axes);
  // A whole sum moves as a scatter of sums and a gather of results: twice the bytes.
  const double volume = (kind == PlanStep::Kind::all_reduce ? 2 : 1) * bytes * (ranks - 1) / ranks;
  const double scattered = kind == PlanStep::Kind::reduce_scatter ? ranks : 1;
  return costs.latency_seconds * (1 + std::log2(ranks)) +
         volume * scattered / costs.wire_bytes_per_second;
}

double plan_cost(const BoundGraph& graph, const Plan& plan, const CostTable& costs) {
  double seconds = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind == PlanStep::Kind::compute) {
      seconds += compute_cost(graph, graph.nodes[static_cast<std::size_t>(step.node)], step.cuts,
                              plan.mesh, costs);
      continue;
    }
    const Value& to = plan.values[static_cast<std::size_t>(step.outputs[0])];
    seconds +=
        transfer_cost(step.kind, step.axes, graph.tensor(to.tensor), to.layout, plan.mesh, costs);
  }
  return seconds;
}

}  // namespace tpinfer::shard
