#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::shard {
namespace {

bool contains(const Box& outer, const Box& inner) {
  return inner.empty() || intersect(outer, inner) == inner;
}

// Whether every rank finds all of its part among the ranks along these axes.
bool suffices(const std::vector<int>& axes, const Shape& shape, const Layout& from,
              const Layout& to, const Mesh& mesh) {
  for (int r = 0; r < mesh.size(); ++r) {
    const Box wanted = local_box(shape, to, mesh, r);
    std::set<std::vector<std::int64_t>> seen;  // of several copies one counts
    std::int64_t found = 0;
    for (int other : mesh.group_of(axes, r)) {
      const Box part = local_box(shape, from, mesh, other);
      if (!part.empty() && seen.insert(part.offset).second) {
        found += element_count(intersect(part, wanted).extent);
      }
    }
    if (found != element_count(wanted.extent)) return false;
  }
  return true;
}

// Axes that cut the same dimension before and after may have nothing to move along them:
// [S0 S0] -> [S0 R] gathers along the second axis alone where the parts line up.
void drop_idle_axes(std::vector<int>& axes, const Shape& shape, const Layout& from,
                    const Layout& to, const Mesh& mesh) {
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto a = static_cast<std::size_t>(axes[i]);
    if (from.placements[a] != to.placements[a]) continue;
    std::vector<int> fewer = axes;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (suffices(fewer, shape, from, to, mesh)) axes = std::move(fewer);
  }
}

class Writer {
 public:
  Writer(const BoundGraph& graph, const Mesh& mesh) : graph_(graph) { plan_.mesh = mesh; }

  Plan write(std::vector<Decision> decisions) {
    for (const std::string& input : graph_.inputs) {
      const Tensor& tensor = graph_.tensor(input);
      plan_.inputs.push_back(new_value(tensor, replicate(plan_.mesh, tensor.shape.size())));
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) add_node(n, decisions[n]);
    for (const std::string& output : graph_.outputs) {
      const Tensor& tensor = graph_.tensor(output);
      const int made = made_.at(output).front();
      plan_.outputs.push_back(
          value_in(tensor, gathered(plan_.values[static_cast<std::size_t>(made)].layout)));
    }
    plan_.decisions = std::move(decisions);
    return std::move(plan_);
  }

 private:
  int new_value(const Tensor& tensor, Layout layout) {
    const auto id = static_cast<int>(plan_.values.size());
    plan_.values.push_back({tensor.name, tensor.dtype, tensor.shape, std::move(layout)});
    made_[tensor.name].push_back(id);
    return id;
  }

  // The value of a tensor in this layout: there already, loaded so, or resharded from the first
  // value that was made of it.
  int value_in(const Tensor& tensor, const Layout& layout) {
    for (int id : made_[tensor.name]) {
      if (plan_.values[static_cast<std::size_t>(id)].layout == layout) return id;
    }
    if (tensor.weight) {
      plan_.weights.push_back(new_value(tensor, layout));
      return plan_.weights.back();
    }
    const int source = cheapest_source(tensor, layout);
    const Layout& from = plan_.values[static_cast<std::size_t>(source)].layout;
    const Reshard reshard = reshard_between(tensor.shape, from, layout, plan_.mesh);
    const int id = new_value(tensor, layout);
    plan_.steps.push_back({reshard.kind, -1, {source}, {id}, {}, reshard.axes});
    return id;
  }

  // A whole copy is cut for nothing; otherwise the first value made.
  int cheapest_source(const Tensor& tensor, const Layout& layout) {
    const std::vector<int>& ids = made_.at(tensor.name);
    for (int id : ids) {
      const Layout& from = plan_.values[static_cast<std::size_t>(id)].layout;
      if (reshard_between(tensor.shape, from, layout, plan_.mesh).kind == PlanStep::Kind::narrow) {
        return id;
      }
    }
    return ids.front();
  }

  void add_node(std::size_t n, const Decision& decision) {
    const BoundNode& bound = graph_.nodes[n];
    PlanStep step{PlanStep::Kind::compute, static_cast<int>(n), {}, {}, decision.cuts, {}};
    for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
      if (bound.node.inputs[i].empty()) {
        step.inputs.push_back(-1);
        continue;
      }
      const Tensor& tensor = graph_.tensor(bound.node.inputs[i]);
      step.inputs.push_back(value_in(tensor, layout_of(bound.rule, bound.rule.inputs[i], false,
                                                       decision.cuts, plan_.mesh, decision.stage)));
    }
    std::vector<std::pair<int, const Tensor*>> pending;
    for (std::size_t o = 0; o < bound.node.outputs.size(); ++o) {
      if (bound.node.outputs[o].empty()) {
        step.outputs.push_back(-1);
        continue;
      }
      const Tensor& tensor = graph_.tensor(bound.node.outputs[o]);
      Layout layout = layout_of(bound.rule, bound.rule.outputs[o], true, decision.cuts, plan_.mesh,
                                decision.stage);
      const bool partial = layout.partial();
      step.outputs.push_back(new_value(tensor, std::move(layout)));
      if (partial) pending.emplace_back(step.outputs.back(), &tensor);
    }
    plan_.steps.push_back(std::move(step));
    for (const auto& [id, tensor] : pending) resolve(id, *tensor, decision);
  }

  // A pending sum is added right behind its product: no other operator ever sees one.
  void resolve(int id, const Tensor& tensor, const Decision& decision) {
    made_.at(tensor.name).clear();
    Layout layout = plan_.values[static_cast<std::size_t>(id)].layout;
    const std::vector<int> axes = layout.partial_axes();
    PlanStep::Kind kind = PlanStep::Kind::all_reduce;
    for (int a : axes) layout.placements[static_cast<std::size_t>(a)] = {};
    const Placement to = decision.resolution.empty()
                             ? Placement{}
                             : decision.resolution[static_cast<std::size_t>(axes.front())];
    if (to.kind == Placement::Kind::shard) {
      kind = PlanStep::Kind::reduce_scatter;
      cut(layout, plan_.mesh, tensor.shape, to.dim, axes, decision.resolution_division);
    }
    const int sum = new_value(tensor, std::move(layout));
    plan_.steps.push_back({kind, -1, {id}, {sum}, {}, axes});
  }

  const BoundGraph& graph_;
  Plan plan_;
  std::map<std::string, std::vector<int>> made_;  // tensor -> its values that can be used
};

}  // namespace

Plan lay_out(const BoundGraph& graph, const Mesh& mesh, std::vector<Decision> decisions) {
  return Writer(graph, mesh).write(std::move(decisions));
}

Reshard reshard_between(const Shape& shape, const Layout& from, const Layout& to,
                        const Mesh& mesh) {
  // A stage can give only what it holds.
  bool narrow = from.stage() < 0 || from.stage() == to.stage();
  for (int r = 0; narrow && r < mesh.size(); ++r) {
    narrow = contains(local_box(shape, from, mesh, r), local_box(shape, to, mesh, r));
  }
  if (narrow) return {PlanStep::Kind::narrow, {}};
  Reshard reshard{PlanStep::Kind::all_gather, {}};
  // The axes whose placement changes, and those that share a dimension with one of them.
  std::vector<int> dims;
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    const Placement& before = from.placements[a];
    const Placement& after = to.placements[a];
    auto moved = [&](const Placement& p) {
      return p.kind == Placement::Kind::shard &&
             (before != after || from.divisions[static_cast<std::size_t>(p.dim)] !=
                                     to.divisions[static_cast<std::size_t>(p.dim)]);
    };
    if (moved(before)) dims.push_back(before.dim);
    if (moved(after)) dims.push_back(after.dim);
  }
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    auto touches = [&](const Placement& p) {
      return p.kind == Placement::Kind::shard &&
             std::find(dims.begin(), dims.end(), p.dim) != dims.end();
    };
    const bool leaves =
        from.placements[a] != to.placements[a] && from.placements[a].kind == Placement::Kind::stage;
    if (!leaves && !touches(from.placements[a]) && !touches(to.placements[a])) continue;
    reshard.axes.push_back(static_cast<int>(a));
  }
  drop_idle_axes(reshard.axes, shape, from, to, mesh);
  for (int a : reshard.axes) {
    const auto at = static_cast<std::size_t>(a);
    const bool gathers = from.placements[at].kind == Placement::Kind::shard &&
                         to.placements[at].kind == Placement::Kind::replicate;
    if (!gathers) reshard.kind = PlanStep::Kind::all_to_all;
  }
  if (from.stage() >= 0 && from.stage() != to.stage()) reshard.kind = PlanStep::Kind::send;
  return reshard;
}

}  // namespace tpinfer::shard
