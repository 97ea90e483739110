#include "runtime/plan_bytes.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "runtime/program.hpp"

namespace tpinfer::runtime {
namespace {

// One value of every shape, type and layout.
std::vector<const shard::Value*> different_values(const shard::Plan& plan) {
  std::vector<const shard::Value*> values;
  std::set<std::pair<std::string, DType>> seen;
  for (const shard::Value& value : plan.values) {
    const std::string text = shard::to_text(value.shape) + shard::to_text(value.layout);
    if (seen.insert({text, value.dtype}).second) values.push_back(&value);
  }
  return values;
}

// One step of every kind of pending sum.
std::vector<const shard::PlanStep*> different_sums(const shard::BoundGraph& graph,
                                                   const shard::Plan& plan) {
  std::vector<const shard::PlanStep*> steps;
  std::set<std::vector<std::int64_t>> seen;
  for (const shard::PlanStep& step : plan.steps) {
    if (step.kind != shard::PlanStep::Kind::compute) continue;
    const shard::Rule& rule = graph.nodes[static_cast<std::size_t>(step.node)].rule;
    for (const shard::Cut& c : step.cuts) {
      const shard::Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
      if (!factor.contracted) continue;
      std::vector<std::int64_t> key{factor.extent};
      key.insert(key.end(), c.axes.begin(), c.axes.end());
      if (seen.insert(key).second) steps.push_back(&step);
    }
  }
  return steps;
}

}  // namespace

std::vector<RankBytes> bytes_per_rank(const shard::BoundGraph& graph, const shard::Plan& plan) {
  const auto values = different_values(plan);
  const auto sums = different_sums(graph, plan);
  std::map<std::vector<std::size_t>, RankBytes> known;
  std::vector<RankBytes> ranks;
  for (int r = 0; r < plan.mesh.size(); ++r) {
    std::vector<std::size_t> profile;
    for (const shard::Value* value : values) {
      profile.push_back(shard::local_bytes(*value, plan.mesh, r));
    }
    for (const shard::PlanStep* sum : sums) {
      const shard::Rule& rule = graph.nodes[static_cast<std::size_t>(sum->node)].rule;
      profile.push_back(shard::roots_on(rule, sum->cuts, plan.mesh, r).size());
    }
    const auto [at, fresh] = known.try_emplace(std::move(profile));
    if (fresh) {
      at->second = {shard::weight_bytes(plan, r), compile(graph, plan, r, false).arena_bytes};
    }
    ranks.push_back(at->second);
  }
  return ranks;
}

shard::RankNeed largest_need(const shard::BoundGraph& graph, const shard::Plan& plan) {
  shard::RankNeed most;
  for (const RankBytes& rank : bytes_per_rank(graph, plan)) {
    const shard::RankNeed need{static_cast<std::int64_t>(rank.weights),
                               static_cast<std::int64_t>(rank.activations)};
    if (need.all() > most.all()) most = need;
  }
  return most;
}

}  // namespace tpinfer::runtime
