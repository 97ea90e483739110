#include "shard/plan/plan.hpp"

#include <algorithm>
#include <set>

#include "kernels/base/leaves.hpp"

namespace tpinfer::shard {
bool is_collective(PlanStep::Kind kind) {
  return kind != PlanStep::Kind::compute && kind != PlanStep::Kind::narrow;
}

std::string_view name_of(PlanStep::Kind kind) {
  switch (kind) {
    case PlanStep::Kind::compute:
      return "compute";
    case PlanStep::Kind::narrow:
      return "narrow";
    case PlanStep::Kind::all_gather:
      return "all-gather";
    case PlanStep::Kind::all_to_all:
      return "all-to-all";
    case PlanStep::Kind::all_reduce:
      return "all-reduce";
    case PlanStep::Kind::reduce_scatter:
      return "reduce-scatter";
    case PlanStep::Kind::send:
      return "send";
  }
  return "?";
}

std::vector<int> members_of(const Plan& plan, const PlanStep& step, int rank) {
  auto joins = [&](int r) {
    auto held = [&](int id) {
      return id >= 0 && holds(plan.values[static_cast<std::size_t>(id)].layout, plan.mesh, r);
    };
    // A narrowing reads what all may hold: who gets a part of it takes part.
    const bool gets = std::any_of(step.outputs.begin(), step.outputs.end(), held);
    return gets || (is_collective(step.kind) && held(step.inputs[0]));
  };
  if (!joins(rank)) return {};
  std::vector<int> members = plan.mesh.group_of(step.axes, rank);
  std::erase_if(members, [&](int r) { return !joins(r); });
  return members;
}

bool serves(const Plan& plan, const PlanStep& step, int source, int target) {
  const Layout& from = plan.values[static_cast<std::size_t>(step.inputs[0])].layout;
  if (!holds(from, plan.mesh, source)) return false;
  const std::vector<int> s = plan.mesh.coordinates(source), t = plan.mesh.coordinates(target);
  for (int axis : step.axes) {
    const auto a = static_cast<std::size_t>(axis);
    if (from.placements[a].kind == Placement::Kind::replicate && s[a] != t[a]) return false;
  }
  return true;
}

Range factor_range(const Rule& rule, int factor, const std::vector<Cut>& cuts, const Mesh& mesh,
                   int rank) {
  const std::int64_t extent = rule.factors[static_cast<std::size_t>(factor)].extent;
  for (const Cut& c : cuts) {
    if (c.factor != factor) continue;
    return divide(extent, mesh, c.axes, rank, {1, c.by_leaf});
  }
  return {0, extent};
}

std::vector<Range> roots_on(const Rule& rule, const std::vector<Cut>& cuts, const Mesh& mesh,
                            int rank) {
  for (const Cut& c : cuts) {
    const Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
    if (!factor.contracted) continue;
    const Range part = factor_range(rule, c.factor, cuts, mesh, rank);
    return roots_of(leaves_within(factor.extent, 1, part), leaf_count(factor.extent));
  }
  return {{0, 1}};
}

std::vector<std::vector<Range>> roots_of_sum(const BoundGraph& graph, const Plan& plan,
                                             const PlanStep& step, int rank) {
  std::vector<std::vector<Range>> roots;
  for (const PlanStep& maker : plan.steps) {
    const bool made = maker.kind == PlanStep::Kind::compute &&
                      std::find(maker.outputs.begin(), maker.outputs.end(), step.inputs[0]) !=
                          maker.outputs.end();
    if (!made) continue;
    const Rule& rule = graph.nodes[static_cast<std::size_t>(maker.node)].rule;
    for (int member : members_of(plan, step, rank)) {
      roots.push_back(roots_on(rule, maker.cuts, plan.mesh, member));
    }
  }
  return roots;
}

std::vector<Decision> carry_over(const BoundGraph& from, const std::vector<Decision>& decisions,
                                 const BoundGraph& to) {
  std::vector<Decision> carried = decisions;
  for (std::size_t n = 0; n < carried.size(); ++n) {
    const std::vector<Factor>& old_factors = from.nodes[n].rule.factors;
    const std::vector<Factor>& factors = to.nodes[n].rule.factors;
    carried[n].cuts.clear();
    for (Cut c : decisions[n].cuts) {
      const Factor& old = old_factors[static_cast<std::size_t>(c.factor)];
      const auto same = std::find_if(factors.begin(), factors.end(),
                                     [&](const Factor& f) { return f.name == old.name; });
      if (same == factors.end() || (old.cuttable && !same->cuttable)) continue;
      c.factor = static_cast<int>(same - factors.begin());
      carried[n].cuts.push_back(std::move(c));
    }
  }
  return carried;
}

std::size_t local_bytes(const Value& value, const Mesh& mesh, int rank) {
  if (!holds(value.layout, mesh, rank)) return 0;
  return byte_count(local_box(value.shape, value.layout, mesh, rank).extent, value.dtype);
}

std::size_t weight_bytes(const Plan& plan, int rank) {
  std::size_t bytes = 0;
  for (int id : plan.weights) {
    bytes += local_bytes(plan.values[static_cast<std::size_t>(id)], plan.mesh, rank);
  }
  return bytes;
}

std::size_t total_weight_bytes(const Plan& plan) {
  std::size_t bytes = 0;
  std::set<std::string> seen;
  for (int id : plan.weights) {
    const Value& value = plan.values[static_cast<std::size_t>(id)];
    if (seen.insert(value.tensor).second) bytes += byte_count(value.shape, value.dtype);
  }
  return bytes;
}

}  // namespace tpinfer::shard
