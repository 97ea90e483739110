// The least cost over all combinations of decisions, by trying them all: no dynamic programme, no
// states that are merged. A partial combination is given up only when what it has paid and what the
// other nodes must pay at least reach the best one known; costs are never negative.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "shard/plan/cost.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::shard::test {

class BruteForce {
 public:
  BruteForce(const BoundGraph& graph, const Mesh& mesh, bool fastest, const CostTable& costs)
      : graph_(graph), mesh_(mesh), costs_(costs) {
    for (const BoundNode& bound : graph.nodes) {
      nodes_.emplace_back();
      for (const Decision& decision : candidates_of(graph, bound, mesh, fastest, {})) {
        nodes_.back().push_back(weigh(bound, decision));
      }
    }
    ahead_.assign(nodes_.size() + 1, 0);
    for (std::size_t n = nodes_.size(); n-- > 0;) {
      double least = nodes_[n][0].cost;
      for (const Weighed& one : nodes_[n]) least = std::min(least, one.cost);
      ahead_[n] = ahead_[n + 1] + least;
    }
  }

  // `most_bytes`: of weights per rank; each weight is used once.
  double least(std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max()) {
    most_bytes_ = most_bytes;
    best_ = std::numeric_limits<double>::infinity();
    held_.assign(names_.size(), {});
    for (const std::string& input : graph_.inputs) {
      held_[number(input)] = {id(replicate(mesh_, graph_.tensor(input).shape.size()))};
    }
    held_.resize(names_.size());
    go(0, 0, 0);
    return best_;
  }

 private:
  using Uses = std::vector<std::pair<std::size_t, int>>;  // tensor, layout
  struct Weighed {
    double cost = 0;
    std::int64_t bytes = 0;
    Uses wants, makes;
  };

  std::size_t number(const std::string& name) {
    return names_.try_emplace(name, names_.size()).first->second;
  }

  int id(const Layout& layout) {
    for (std::size_t l = 0; l < layouts_.size(); ++l) {
      if (layouts_[l] == layout) return static_cast<int>(l);
    }
    layouts_.push_back(layout);
    return static_cast<int>(layouts_.size()) - 1;
  }

  Weighed weigh(const BoundNode& bound, const Decision& decision) {
    Weighed out;
    out.cost = compute_cost(graph_, bound, decision.cuts, mesh_, costs_);
    for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
      const Tensor& tensor = graph_.tensor(bound.node.inputs[i]);
      const Layout layout =
          layout_of(bound.rule, bound.rule.inputs[i], false, decision.cuts, mesh_);
      if (tensor.weight) {
        out.bytes += largest_part(tensor.shape, layout, mesh_) *
                     static_cast<std::int64_t>(size_of(tensor.dtype));
      } else {
        out.wants.emplace_back(number(tensor.name), id(layout));
      }
    }
    const Tensor& output = graph_.tensor(bound.node.outputs[0]);
    const Layout sum = layout_of(bound.rule, bound.rule.outputs[0], true, decision.cuts, mesh_);
    Layout made = sum;
    if (const std::vector<int> axes = sum.partial_axes(); !axes.empty()) {
      for (int a : axes) made.placements[static_cast<std::size_t>(a)] = {};
      auto kind = PlanStep::Kind::all_reduce;
      if (!decision.resolution.empty()) {
        kind = PlanStep::Kind::reduce_scatter;
        cut(made, mesh_, output.shape, decision.resolution[static_cast<std::size_t>(axes[0])].dim,
            axes, decision.resolution_division);
      }
      const int roots = roots_in_group(bound.rule, decision.cuts, mesh_, axes, 0);
      out.cost += transfer_cost({kind, axes, output, sum, made, roots}, mesh_, costs_);
    }
    out.makes.emplace_back(number(output.name), id(made));
    return out;
  }

  struct Way {
    double cost = 0;
    bool narrow = false;
  };

  Way way(std::size_t tensor, int from, int to) {
    const auto [at, fresh] = ways_.try_emplace({tensor, from, to});
    if (!fresh) return at->second;
    const auto named = std::find_if(names_.begin(), names_.end(),
                                    [&](const auto& item) { return item.second == tensor; });
    const Tensor& what = graph_.tensor(named->first);
    const Layout before = layouts_[static_cast<std::size_t>(from)],
                 after = layouts_[static_cast<std::size_t>(to)];
    const Reshard reshard = reshard_between(what.shape, before, after, mesh_);
    at->second = {transfer_cost({reshard.kind, reshard.axes, what, before, after}, mesh_, costs_),
                  reshard.kind == PlanStep::Kind::narrow};
    return at->second;
  }

  double obtain(std::size_t tensor, int wanted) {
    std::vector<int>& held = held_[tensor];
    if (std::find(held.begin(), held.end(), wanted) != held.end()) return 0;
    Way best = way(tensor, held[0], wanted);
    for (int from : held) {
      if (!best.narrow && way(tensor, from, wanted).narrow) best = way(tensor, from, wanted);
    }
    held.push_back(wanted);
    return best.cost;
  }

  void go(std::size_t n, double paid, std::int64_t bytes) {
    if (paid + ahead_[n] >= best_ || bytes > most_bytes_) return;
    if (n == nodes_.size()) {
      const std::vector<std::vector<int>> before = held_;
      for (const std::string& output : graph_.outputs) {
        const std::size_t tensor = number(output);
        const Layout made = layouts_[static_cast<std::size_t>(held_[tensor][0])];
        paid += obtain(tensor, id(gathered(made)));
      }
      held_ = before;
      best_ = std::min(best_, paid);
      return;
    }
    for (const Weighed& one : nodes_[n]) {
      double cost = paid + one.cost;
      std::vector<std::pair<std::size_t, std::size_t>> sizes;
      for (const auto& [tensor, layout] : one.wants) {
        sizes.emplace_back(tensor, held_[tensor].size());
        cost += obtain(tensor, layout);
      }
      for (const auto& [tensor, layout] : one.makes) held_[tensor] = {layout};
      go(n + 1, cost, bytes + one.bytes);
      while (!sizes.empty()) {
        held_[sizes.back().first].resize(sizes.back().second);
        sizes.pop_back();
      }
    }
  }

  const BoundGraph& graph_;
  const Mesh& mesh_;
  const CostTable& costs_;
  std::vector<std::vector<Weighed>> nodes_;
  std::vector<double> ahead_;
  std::map<std::string, std::size_t> names_;
  std::vector<Layout> layouts_;
  std::map<std::tuple<std::size_t, int, int>, Way> ways_;
  std::vector<std::vector<int>> held_;
  std::int64_t most_bytes_ = 0;
  double best_ = 0;
};

}  // namespace tpinfer::shard::test
