#include "shard/plan/moves.hpp"

#include <algorithm>

#include "kernels/base/heartbeat.hpp"
#include "shard/plan/cost.hpp"

namespace tpinfer::shard {
namespace {

std::uint64_t key(int a, int b, int c = 0) {
  return static_cast<std::uint64_t>(a) << 42 | static_cast<std::uint64_t>(b) << 21 |
         static_cast<std::uint64_t>(c);
}

}  // namespace

Moves::Moves(const BoundGraph& graph, const Mesh& mesh, const PlanOptions& options,
             const std::vector<std::optional<FactorCuts>>& demands)
    : graph_(graph),
      mesh_(mesh),
      options_(options),
      demands_(demands),
      fixed_(fixed_by_mesh(graph, mesh, options, demands)) {
  for (auto& all : choices_) all.assign(graph.nodes.size(), nullptr);
}

std::vector<Decision> Moves::decisions_of(std::size_t node, bool fastest) const {
  const BoundNode& bound = graph_.nodes[node];
  const Fixed& fixed = fixed_[node];
  if (demands_[node]) {
    return demanded_decisions(graph_, bound, mesh_, *demands_[node], options_.uneven, fixed);
  }
  if (options_.batch) return {batch_decision(graph_, bound, mesh_, fixed)};
  return candidates_of(graph_, bound, mesh_, fastest, fixed);
}

// Everything of a node that decisions and costs depend on.
std::vector<std::int64_t> Moves::signature(std::size_t n, bool fastest) const {
  const BoundNode& bound = graph_.nodes[n];
  std::vector<std::int64_t> key{fastest, fixed_[n].stage, fixed_[n].batch_factor};
  for (const Factor& f : bound.rule.factors) {
    key.insert(key.end(), {f.extent, f.whole, f.contracted, f.cuttable});
  }
  auto tensors = [&](const std::vector<std::string>& names,
                     const std::vector<std::vector<RuleDim>>& dims) {
    key.push_back(-1);
    for (std::size_t i = 0; i < names.size(); ++i) {
      key.push_back(-2);
      if (names[i].empty()) continue;
      const Tensor& tensor = graph_.tensor(names[i]);
      key.insert(key.end(), {tensor.weight.has_value(), static_cast<std::int64_t>(tensor.dtype)});
      for (const RuleDim& dim : dims[i]) {
        key.push_back(-3);
        key.insert(key.end(), dim.begin(), dim.end());
      }
    }
  };
  tensors(bound.node.inputs, bound.rule.inputs);
  tensors(bound.node.outputs, bound.rule.outputs);
  if (demands_[n]) {
    key.push_back(-4);
    key.insert(key.end(), demands_[n]->factors.begin(), demands_[n]->factors.end());
    key.insert(key.end(), demands_[n]->parts.begin(), demands_[n]->parts.end());
  }
  return key;
}

const Choices& Moves::choices(std::size_t node, bool fastest) {
  const Choices*& known = choices_[fastest][node];
  if (known) return *known;
  std::unique_ptr<Choices>& shared = alike_[signature(node, fastest)];
  if (!shared) {
    shared = std::make_unique<Choices>();
    shared->decisions = decisions_of(node, fastest);
    for (const Decision& decision : shared->decisions) {
      shared->effects.push_back(effect_of(graph_.nodes[node], decision));
    }
  }
  known = shared.get();
  return *known;
}

Effect Moves::effect_of(const BoundNode& bound, const Decision& decision) {
  beat();
  const Rule& rule = bound.rule;
  Effect effect;
  effect.cost = compute_cost(graph_, bound, decision.cuts, mesh_, options_.costs, decision.stage);
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    if (bound.node.inputs[i].empty()) continue;
    // Weights are loaded in any layout; reading them is part of the computation.
    auto& list = graph_.tensor(bound.node.inputs[i]).weight ? effect.weights : effect.wants;
    list.emplace_back(
        i, layout_id(layout_of(rule, rule.inputs[i], false, decision.cuts, mesh_, decision.stage)));
  }
  for (std::size_t o = 0; o < bound.node.outputs.size(); ++o) {
    if (bound.node.outputs[o].empty()) continue;
    const Tensor& tensor = graph_.tensor(bound.node.outputs[o]);
    const Layout sum = layout_of(rule, rule.outputs[o], true, decision.cuts, mesh_, decision.stage);
    Layout made = sum;
    const std::vector<int> axes = sum.partial_axes();
    if (!axes.empty()) {
      for (int a : axes) made.placements[static_cast<std::size_t>(a)] = {};
      PlanStep::Kind kind = PlanStep::Kind::all_reduce;
      if (!decision.resolution.empty()) {
        kind = PlanStep::Kind::reduce_scatter;
        const int dim = decision.resolution[static_cast<std::size_t>(axes.front())].dim;
        cut(made, mesh_, tensor.shape, dim, axes, decision.resolution_division);
      }
      const int roots = roots_in_group(rule, decision.cuts, mesh_, axes, decision.stage);
      effect.cost += transfer_cost({kind, axes, tensor, sum, made, roots}, mesh_, options_.costs);
    }
    effect.makes.emplace_back(o, layout_id(made));
  }
  return effect;
}

int Moves::layout_id(const Layout& layout) {
  const auto found = std::find(layouts_.begin(), layouts_.end(), layout);
  if (found != layouts_.end()) return static_cast<int>(found - layouts_.begin());
  layouts_.push_back(layout);
  whole_.push_back(-1);
  return static_cast<int>(layouts_.size()) - 1;
}

int Moves::whole(int id) {
  if (whole_[static_cast<std::size_t>(id)] < 0) {
    const int found = layout_id(gathered(layout(id)));
    whole_[static_cast<std::size_t>(id)] = found;
  }
  return whole_[static_cast<std::size_t>(id)];
}

int Moves::holding(int made) {
  Held held{made, {made}};
  const auto [at, fresh] = holding_ids_.try_emplace(held, static_cast<int>(holdings_.size()));
  if (fresh) holdings_.push_back(std::move(held));
  return at->second;
}

int Moves::with(int holding, int layout) {
  const auto [cached, unknown] = with_.try_emplace(key(holding, layout), 0);
  if (!unknown) return cached->second;
  Held held = holdings_[static_cast<std::size_t>(holding)];
  held.second.insert(layout);
  const auto [at, fresh] = holding_ids_.try_emplace(held, static_cast<int>(holdings_.size()));
  if (fresh) holdings_.push_back(std::move(held));
  return cached->second = at->second;
}

int Moves::class_of(const std::string& name) {
  const Tensor& tensor = graph_.tensor(name);
  const auto [at, fresh] =
      class_ids_.try_emplace({tensor.shape, tensor.dtype}, static_cast<int>(classes_.size()));
  if (fresh) classes_.push_back(&tensor);
  return at->second;
}

const Moves::Way& Moves::way(int tensor_class, int from, int to) {
  const auto [at, fresh] = ways_.try_emplace(key(tensor_class, from, to));
  if (!fresh) return at->second;
  beat();
  const Tensor& tensor = *classes_[static_cast<std::size_t>(tensor_class)];
  const Reshard reshard = reshard_between(tensor.shape, layout(from), layout(to), mesh_);
  const Movement movement{reshard.kind, reshard.axes, tensor, layout(from), layout(to)};
  at->second = {transfer_cost(movement, mesh_, options_.costs),
                reshard.kind == PlanStep::Kind::narrow};
  return at->second;
}

double Moves::price(int tensor_class, int holding, int layout) {
  const auto [at, fresh] = prices_.try_emplace(key(tensor_class, holding, layout), 0.0);
  if (!fresh) return at->second;
  const Held& held = holdings_[static_cast<std::size_t>(holding)];
  if (held.second.contains(layout)) return 0;
  const Way* best = &way(tensor_class, held.first, layout);
  for (int source : held.second) {
    if (best->narrow) break;
    const Way& other = way(tensor_class, source, layout);
    if (other.narrow) best = &other;
  }
  return at->second = best->cost;
}

int Moves::everywhere(int tensor_class) {
  return layout_id(
      replicate(mesh_, classes_[static_cast<std::size_t>(tensor_class)]->shape.size()));
}

bool Moves::includes(int a, int b) const {
  const auto &all = holdings_[static_cast<std::size_t>(a)].second,
             &some = holdings_[static_cast<std::size_t>(b)].second;
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

std::int64_t Moves::bytes(int tensor_class, int id) {
  const auto [at, fresh] = bytes_.try_emplace(key(tensor_class, id), 0);
  if (!fresh) return at->second;
  const Tensor& tensor = *classes_[static_cast<std::size_t>(tensor_class)];
  return at->second = largest_part(tensor.shape, layout(id), mesh_) *
                      static_cast<std::int64_t>(size_of(tensor.dtype));
}

}  // namespace tpinfer::shard
