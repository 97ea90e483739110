#include "shard/plan/planner.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "kernels/base/heartbeat.hpp"
#include "shard/plan/cost.hpp"

namespace tpinfer::shard {
namespace {

// How many of the cheapest states are kept. With many decisions per node (meshes of several axes)
// fewer, so that a plan takes well under a second.
constexpr std::size_t kMaxStates = 512;
constexpr std::size_t kMaxSteps = 8192;  // states times decisions

std::size_t states_to_keep(std::size_t decisions) {
  return std::clamp<std::size_t>(kMaxSteps / std::max<std::size_t>(1, decisions), 16, kMaxStates);
}

// The layouts in which each live tensor exists, in the order they were made (lay_out prefers the
// first), by tensor name.
using State = std::map<std::string, std::vector<int>>;

struct Entry {
  State state;
  double cost = 0;
  int parent = -1;    // entry of the node before
  int decision = -1;  // of the node's candidates
};

// What a decision does to a state.
struct Effect {
  double seconds = 0;
  std::vector<std::pair<std::string, int>> wants, makes;  // tensors and the layouts they are in
};

// How a tensor gets from one layout to another.
struct Way {
  double seconds = 0;
  bool narrow = false;
};

class Search {
 public:
  Search(const BoundGraph& graph, const Mesh& mesh, const PlanOptions& options,
         const std::vector<std::optional<FactorCuts>>& demands)
      : graph_(graph),
        mesh_(mesh),
        options_(options),
        demands_(demands),
        fixed_(fixed_by_mesh(graph, mesh, options)) {
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const std::string& input : graph.nodes[n].node.inputs) last_use_[input] = n;
    }
    for (const std::string& output : graph.outputs) last_use_[output] = graph.nodes.size();
  }

  std::vector<Decision> run() {
    State start;
    for (const std::string& input : graph_.inputs) {
      start[input] = {id_of(replicate(mesh_, graph_.tensor(input).shape.size()))};
    }
    std::vector<std::vector<Entry>> rounds{{{std::move(start), 0, -1, -1}}};
    std::vector<std::vector<Decision>> candidates;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      candidates.push_back(candidates_for(n));
      rounds.push_back(advance(rounds.back(), n, candidates.back()));
    }
    int best = cheapest_end(rounds.back());
    std::vector<Decision> decisions(graph_.nodes.size());
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
      const Entry& entry = rounds[n + 1][static_cast<std::size_t>(best)];
      decisions[n] = candidates[n][static_cast<std::size_t>(entry.decision)];
      best = entry.parent;
    }
    return decisions;
  }

 private:
  int id_of(const Layout& layout) {
    const auto found = std::find(layouts_.begin(), layouts_.end(), layout);
    if (found != layouts_.end()) return static_cast<int>(found - layouts_.begin());
    layouts_.push_back(layout);
    return static_cast<int>(layouts_.size()) - 1;
  }

  const Layout& layout(int id) const { return layouts_[static_cast<std::size_t>(id)]; }

  std::vector<Decision> candidates_for(std::size_t n) {
    const BoundNode& node = graph_.nodes[n];
    const Fixed& fixed = fixed_[n];
    if (demands_[n]) {
      return demanded_decisions(graph_, node, mesh_, *demands_[n], options_.uneven, fixed);
    }
    if (options_.batch) return {batch_decision(graph_, node, mesh_, fixed)};
    return candidates_of(graph_, node, mesh_, options_.fastest, fixed);
  }

  // What it costs to have `tensor` in `wanted`; adds it to the state.
  double obtain(State& state, const std::string& tensor, int wanted) {
    std::vector<int>& have = state.at(tensor);
    if (std::find(have.begin(), have.end(), wanted) != have.end()) return 0;
    const Way* best = &way_between(tensor, have.front(), wanted);
    for (int source : have) {
      if (best->narrow) break;
      const Way& other = way_between(tensor, source, wanted);
      if (other.narrow) best = &other;
    }
    have.push_back(wanted);
    return best->seconds;
  }

  // From one layout to another, worked out once.
  const Way& way_between(const std::string& name, int from, int to) {
    const auto [at, fresh] = ways_.try_emplace({name, from, to});
    if (fresh) {
      const Tensor& tensor = graph_.tensor(name);
      const Reshard reshard = reshard_between(tensor.shape, layout(from), layout(to), mesh_);
      at->second = {
          transfer_cost(reshard.kind, reshard.axes, tensor, layout(to), mesh_, options_.costs),
          reshard.kind == PlanStep::Kind::narrow};
    }
    return at->second;
  }

  // What a decision wants, makes and costs, whatever the state.
  Effect effect_of(const BoundNode& bound, const Decision& decision) {
    const Rule& rule = bound.rule;
    Effect effect;
    effect.seconds = compute_cost(graph_, bound, decision.cuts, mesh_, options_.costs);
    for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
      const std::string& input = bound.node.inputs[i];
      // Weights are loaded in any layout; reading them is part of the computation.
      if (input.empty() || graph_.tensor(input).weight) continue;
      effect.wants.emplace_back(input, id_of(layout_of(rule, rule.inputs[i], false, decision.cuts,
                                                       mesh_, decision.stage)));
    }
    for (std::size_t o = 0; o < bound.node.outputs.size(); ++o) {
      if (bound.node.outputs[o].empty()) continue;
      const Tensor& tensor = graph_.tensor(bound.node.outputs[o]);
      Layout made = layout_of(rule, rule.outputs[o], true, decision.cuts, mesh_, decision.stage);
      const std::vector<int> axes = made.partial_axes();
      if (!axes.empty()) {
        for (int a : axes) made.placements[static_cast<std::size_t>(a)] = {};
        PlanStep::Kind kind = PlanStep::Kind::all_reduce;
        if (!decision.resolution.empty()) {
          kind = PlanStep::Kind::reduce_scatter;
          const int dim = decision.resolution[static_cast<std::size_t>(axes.front())].dim;
          cut(made, mesh_, tensor.shape, dim, axes, decision.resolution_division);
        }
        effect.seconds += transfer_cost(kind, axes, tensor, made, mesh_, options_.costs);
      }
      effect.makes.emplace_back(tensor.name, id_of(made));
    }
    beat();
    return effect;
  }

  void drop_dead(State& state, std::size_t n) {
    std::erase_if(state, [&](const auto& item) {
      const auto last = last_use_.find(item.first);
      return last == last_use_.end() || last->second <= n;
    });
  }

  std::vector<Entry> advance(const std::vector<Entry>& before, std::size_t n,
                             const std::vector<Decision>& candidates) {
    std::vector<Effect> effects;
    for (const Decision& decision : candidates) {
      effects.push_back(effect_of(graph_.nodes[n], decision));
    }
    std::map<State, std::size_t> known;
    std::vector<Entry> after;
    for (std::size_t e = 0; e < before.size(); ++e) {
      beat();
      for (std::size_t c = 0; c < effects.size(); ++c) {
        Entry entry{before[e].state, before[e].cost, static_cast<int>(e), static_cast<int>(c)};
        entry.cost += effects[c].seconds;
        for (const auto& [tensor, id] : effects[c].wants) {
          entry.cost += obtain(entry.state, tensor, id);
        }
        for (const auto& [tensor, id] : effects[c].makes) entry.state[tensor] = {id};
        drop_dead(entry.state, n);
        const auto [place, fresh] = known.try_emplace(entry.state, after.size());
        if (fresh) {
          after.push_back(std::move(entry));
        } else if (entry.cost < after[place->second].cost) {
          after[place->second] = std::move(entry);
        }
      }
    }
    const std::size_t keep = states_to_keep(candidates.size());
    if (after.size() > keep) {
      std::stable_sort(after.begin(), after.end(),
                       [](const Entry& a, const Entry& b) { return a.cost < b.cost; });
      after.resize(keep);
    }
    return after;
  }

  int cheapest_end(std::vector<Entry>& entries) {
    int best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t e = 0; e < entries.size(); ++e) {
      double cost = entries[e].cost;
      for (const std::string& output : graph_.outputs) {
        const Layout whole = gathered(layout(entries[e].state.at(output).front()));
        cost += obtain(entries[e].state, output, id_of(whole));
      }
      if (cost < least) least = cost, best = static_cast<int>(e);
    }
    return best;
  }

  const BoundGraph& graph_;
  const Mesh& mesh_;
  const PlanOptions& options_;
  const std::vector<std::optional<FactorCuts>>& demands_;
  const std::vector<Fixed> fixed_;
  std::map<std::string, std::size_t> last_use_;
  std::vector<Layout> layouts_;
  std::map<std::tuple<std::string, int, int>, Way> ways_;
};

// A strategy file for one stage says 0 everywhere, which asks for nothing.
void add_stages(std::map<std::string, int>& stages, const BoundGraph& graph,
                const std::vector<std::optional<FactorCuts>>& demands) {
  const bool asked = std::any_of(demands.begin(), demands.end(), [](const auto& demand) {
    return demand && demand->stage.value_or(0) != 0;
  });
  for (std::size_t n = 0; asked && n < demands.size(); ++n) {
    if (demands[n] && demands[n]->stage) stages[graph.nodes[n].node.name] = *demands[n]->stage;
  }
}

}  // namespace

Plan make_plan(const BoundGraph& graph, int ranks, const PlanOptions& options) {
  const int tp = tensor_ranks(options.mesh, ranks);
  const auto demands = demands_of(graph, options.strategies, tp, options.uneven);
  const Mesh mesh = with_roles(options.mesh, mesh_for(demands, tp, options.mesh.tp));
  PlanOptions staged = options;
  add_stages(staged.stages, graph, demands);
  return lay_out(graph, mesh, Search(graph, mesh, staged, demands).run());
}

}  // namespace tpinfer::shard
