#include "shard/plan/cost.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace tpinfer::shard {
namespace {

struct Parts {
  std::int64_t least, most;
};

Parts parts_of(std::int64_t extent, const Mesh& mesh, const std::vector<int>& axes,
               Division division) {
  Parts parts{extent, 0};
  for (int r : mesh.group_of(axes, 0)) {
    const std::int64_t size = divide(extent, mesh, axes, r, division).size();
    parts.least = std::min(parts.least, size);
    parts.most = std::max(parts.most, size);
  }
  return parts;
}

template <typename Choose>
std::int64_t part(const Shape& shape, const Layout& layout, const Mesh& mesh, Choose choose) {
  std::int64_t count = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::vector<int> axes = layout.axes_of(static_cast<int>(d));
    count *= axes.empty() ? shape[d] : choose(parts_of(shape[d], mesh, axes, layout.divisions[d]));
  }
  return count;
}

int stage_size(const Mesh& mesh) {
  const int pp = mesh.axis(kPipelineAxis);
  return pp < 0 ? mesh.size() : mesh.size() / mesh.axes[static_cast<std::size_t>(pp)].size;
}

bool equal_shares(const Mesh& mesh) {
  return std::all_of(mesh.axes.begin(), mesh.axes.end(),
                     [](const MeshAxis& axis) { return axis.shares.empty(); });
}

bool has_sum(const Rule& rule) {
  return std::any_of(rule.factors.begin(), rule.factors.end(),
                     [](const Factor& f) { return f.contracted; });
}

// One node's work on one rank, in seconds of a rank of full speed.
struct Work {
  double arithmetic = 0, memory = 0;
};

class NodeWork {
 public:
  NodeWork(const BoundGraph& graph, const BoundNode& bound, const std::vector<Cut>& cuts,
           const Mesh& mesh, const CostTable& costs)
      : graph_(graph), bound_(bound), cuts_(cuts), mesh_(mesh), costs_(costs) {}

  Work on(int rank) const {
    const Rule& rule = bound_.rule;
    std::vector<double> extents;
    for (const Factor& f : rule.factors) extents.push_back(static_cast<double>(f.extent));
    for (const Cut& c : cuts_) {
      extents[static_cast<std::size_t>(c.factor)] =
          static_cast<double>(factor_range(rule, c.factor, cuts_, mesh_, rank).size());
    }
    auto elements = [&](const std::vector<RuleDim>& dims) {
      double count = 1;
      for (const RuleDim& dim : dims) {
        for (int f : dim) count *= extents[static_cast<std::size_t>(f)];
      }
      return count;
    };
    Work work;
    if (elements(rule.outputs[0]) == 0) return work;  // nothing to do
    if (has_sum(rule)) {
      double flops = 2;
      for (double extent : extents) flops *= extent;
      if (flops == 0) return work;
      work.arithmetic = flops / product_rate(costs_, rows(extents));
    }
    double bytes = 0;
    for (std::size_t i = 0; i < bound_.node.inputs.size(); ++i) {
      bytes += elements(rule.inputs[i]) * item_size(bound_.node.inputs[i]);
    }
    for (std::size_t o = 0; o < bound_.node.outputs.size(); ++o) {
      bytes += elements(rule.outputs[o]) * item_size(bound_.node.outputs[o]);
    }
    work.memory = bytes / costs_.memory_bytes_per_second;
    return work;
  }

 private:
  double item_size(const std::string& name) const {
    return name.empty() ? 0 : static_cast<double>(size_of(graph_.tensor(name).dtype));
  }

  // How often each element of the second input (the weights) is used.
  double rows(const std::vector<double>& extents) const {
    const Rule& rule = bound_.rule;
    double count = 1;
    for (std::size_t f = 0; f < extents.size(); ++f) {
      bool second = rule.factors[f].contracted;
      for (const RuleDim& dim : rule.inputs.size() > 1 ? rule.inputs[1] : std::vector<RuleDim>{}) {
        second = second || std::find(dim.begin(), dim.end(), static_cast<int>(f)) != dim.end();
      }
      if (!second) count *= extents[f];
    }
    return count;
  }

  const BoundGraph& graph_;
  const BoundNode& bound_;
  const std::vector<Cut>& cuts_;
  const Mesh& mesh_;
  const CostTable& costs_;
};

bool in_one_node(const Mesh& mesh, const std::vector<int>& axes, const CostTable& costs) {
  if (costs.ranks_per_node == 0 || mesh.size() <= costs.ranks_per_node) return true;
  const std::vector<int> group = mesh.group_of(axes, 0);
  return std::all_of(group.begin(), group.end(), [&](int r) { return r < costs.ranks_per_node; });
}

}  // namespace

double picoseconds(double seconds) { return std::round(seconds * 1e12); }

std::int64_t largest_part(const Shape& shape, const Layout& layout, const Mesh& mesh) {
  return part(shape, layout, mesh, [](Parts parts) { return parts.most; });
}

std::int64_t smallest_part(const Shape& shape, const Layout& layout, const Mesh& mesh) {
  return part(shape, layout, mesh, [](Parts parts) { return parts.least; });
}

double speed_of(const Mesh& mesh, int rank) {
  const std::vector<int> at = mesh.coordinates(rank);
  double speed = 1;
  for (std::size_t a = 0; a < at.size(); ++a) {
    const std::vector<std::int64_t>& shares = mesh.axes[a].shares;
    if (shares.empty()) continue;
    const std::int64_t own = shares[static_cast<std::size_t>(at[a])];
    const std::int64_t most = *std::max_element(shares.begin(), shares.end());
    if (own > 0) speed *= static_cast<double>(own) / static_cast<double>(most);
  }
  return speed;
}

double compute_cost(const BoundGraph& graph, const BoundNode& bound, const std::vector<Cut>& cuts,
                    const Mesh& mesh, const CostTable& costs, int stage) {
  const NodeWork work(graph, bound, cuts, mesh, costs);
  const int size = stage_size(mesh), end = (stage + 1) * size;
  const bool shared = costs.compute_ranks_per_node > 0 || costs.memory_ranks_per_node > 0;
  // With equal shares the last rank has the most of everything (split() rounds down).
  const int begin = shared || !equal_shares(mesh) ? end - size : end - 1;
  double slowest = 0;
  std::map<int, Work> machines;
  for (int r = begin; r < end; ++r) {
    const Work own = work.on(r);
    const double speed = speed_of(mesh, r);
    slowest = std::max(slowest, std::max(own.arithmetic, own.memory) / speed);
    if (!shared) continue;
    Work& all = machines[costs.ranks_per_node == 0 ? 0 : r / costs.ranks_per_node];
    all.arithmetic += own.arithmetic / speed;
    all.memory += own.memory / speed;
  }
  for (const auto& [machine, all] : machines) {
    if (costs.compute_ranks_per_node > 0) {
      slowest = std::max(slowest, all.arithmetic / costs.compute_ranks_per_node);
    }
    if (costs.memory_ranks_per_node > 0) {
      slowest = std::max(slowest, all.memory / costs.memory_ranks_per_node);
    }
  }
  return picoseconds(costs.operator_seconds + slowest);
}

double bytes_received(const Movement& m, const Mesh& mesh) {
  const auto item = static_cast<double>(size_of(m.tensor.dtype));
  const double result = item * static_cast<double>(largest_part(m.tensor.shape, m.to, mesh));
  const double ranks = mesh.size_of(m.axes);
  const double others = (ranks - 1) / ranks;
  switch (m.kind) {
    case PlanStep::Kind::compute:
    case PlanStep::Kind::narrow:
      return 0;
    case PlanStep::Kind::all_gather:
      return result - item * static_cast<double>(smallest_part(m.tensor.shape, m.from, mesh));
    case PlanStep::Kind::all_to_all:
    case PlanStep::Kind::send:
      return result;
    case PlanStep::Kind::reduce_scatter:
      return result * m.roots * others;
    case PlanStep::Kind::all_reduce: {
      const double sent = result * m.roots;
      return others *
             (ranks > 2 && sent >= double{kSlicedFromBytes} ? sent / ranks + result : sent);
    }
  }
  return 0;
}

double transfer_cost(const Movement& m, const Mesh& mesh, const CostTable& costs) {
  const double copied = static_cast<double>(largest_part(m.tensor.shape, m.to, mesh)) *
                        static_cast<double>(size_of(m.tensor.dtype)) /
                        costs.memory_bytes_per_second;
  if (!is_collective(m.kind)) return picoseconds(copied);
  const auto kind =
      static_cast<std::size_t>(m.kind) - static_cast<std::size_t>(PlanStep::Kind::all_gather);
  return picoseconds(std::max(
      copied, collective_seconds(costs, kind, mesh.size_of(m.axes),
                                 in_one_node(mesh, m.axes, costs), bytes_received(m, mesh))));
}

int roots_in_group(const Rule& rule, const std::vector<Cut>& cuts, const Mesh& mesh,
                   const std::vector<int>& axes, int stage) {
  std::size_t roots = 0;
  for (int r : mesh.group_of(axes, stage * stage_size(mesh))) {
    roots += roots_on(rule, cuts, mesh, r).size();
  }
  return static_cast<int>(roots);
}

std::vector<double> step_costs(const BoundGraph& graph, const Plan& plan, const CostTable& costs) {
  std::vector<double> each;
  std::map<int, const PlanStep*> makers;  // of pending sums
  for (const PlanStep& step : plan.steps) {
    if (step.kind == PlanStep::Kind::compute) {
      const auto n = static_cast<std::size_t>(step.node);
      each.push_back(compute_cost(graph, graph.nodes[n], step.cuts, plan.mesh, costs,
                                  plan.decisions[n].stage));
      for (int id : step.outputs) makers[id] = &step;
      continue;
    }
    const Value& from = plan.values[static_cast<std::size_t>(step.inputs[0])];
    const Value& to = plan.values[static_cast<std::size_t>(step.outputs[0])];
    Movement movement{step.kind, step.axes, graph.tensor(to.tensor), from.layout, to.layout};
    if (from.layout.partial()) {
      const PlanStep& maker = *makers.at(step.inputs[0]);
      const auto n = static_cast<std::size_t>(maker.node);
      movement.roots = roots_in_group(graph.nodes[n].rule, maker.cuts, plan.mesh, step.axes,
                                      plan.decisions[n].stage);
    }
    each.push_back(transfer_cost(movement, plan.mesh, costs));
  }
  return each;
}

double plan_cost(const BoundGraph& graph, const Plan& plan, const CostTable& costs) {
  double sum = 0;
  for (double cost : step_costs(graph, plan, costs)) sum += cost;
  return sum;
}

}  // namespace tpinfer::shard
