#include "shard/plan/predict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "shard/plan/cost.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::shard {
namespace {

// Steps that move alike are worked out once.
struct Alike {
  PlanStep::Kind kind;
  std::vector<int> axes;
  Shape shape;
  std::string from, to;
  std::vector<std::int64_t> roots;  // per rank
  auto operator<=>(const Alike&) const = default;
};

class TrafficMeter {
 public:
  TrafficMeter(const BoundGraph& graph, const Plan& plan) : graph_(graph), plan_(plan) {}

  std::vector<Traffic> all() {
    std::vector<Traffic> sum(static_cast<std::size_t>(plan_.mesh.size()));
    for (const PlanStep& step : plan_.steps) {
      for (int id : step.kind == PlanStep::Kind::compute ? step.outputs : std::vector<int>{}) {
        makers_[id] = &step;
      }
      if (!is_collective(step.kind)) continue;
      const std::vector<Traffic>& one = of(step);
      for (std::size_t r = 0; r < sum.size(); ++r) {
        sum[r].calls += one[r].calls;
        sum[r].bytes_sent += one[r].bytes_sent;
      }
    }
    return sum;
  }

 private:
  const Value& value(int id) const { return plan_.values[static_cast<std::size_t>(id)]; }

  const std::vector<Traffic>& of(const PlanStep& step) {
    const Value &from = value(step.inputs[0]), &to = value(step.outputs[0]);
    Alike key{step.kind, step.axes, from.shape, to_text(from.layout), to_text(to.layout), {}};
    if (from.layout.partial()) {
      const PlanStep& maker = *makers_.at(step.inputs[0]);
      const Rule& rule = graph_.nodes[static_cast<std::size_t>(maker.node)].rule;
      for (int r = 0; r < plan_.mesh.size(); ++r) {
        key.roots.push_back(
            static_cast<std::int64_t>(roots_on(rule, maker.cuts, plan_.mesh, r).size()));
      }
    }
    key.shape.push_back(static_cast<std::int64_t>(size_of(from.dtype)));
    const auto [at, fresh] = known_.try_emplace(std::move(key));
    if (!fresh) return at->second;
    std::vector<Traffic>& ranks = at->second;
    ranks.resize(static_cast<std::size_t>(plan_.mesh.size()));
    std::vector<char> done(ranks.size(), 0);
    for (int r = 0; r < plan_.mesh.size(); ++r) {
      if (done[static_cast<std::size_t>(r)]) continue;
      const std::vector<int> members = members_of(plan_, step, r);
      for (int m : members) {
        done[static_cast<std::size_t>(m)] = 1;
        ranks[static_cast<std::size_t>(m)] = of_member(step, members, m, at->first.roots);
      }
    }
    return ranks;
  }

  Traffic of_member(const PlanStep& step, const std::vector<int>& members, int rank,
                    const std::vector<std::int64_t>& roots) const {
    const Value &from = value(step.inputs[0]), &to = value(step.outputs[0]);
    const auto item = static_cast<std::int64_t>(size_of(from.dtype));
    const auto others = static_cast<std::int64_t>(members.size()) - 1;
    auto before = [&](int r) { return local_box(from.shape, from.layout, plan_.mesh, r); };
    auto after = [&](int r) { return local_box(to.shape, to.layout, plan_.mesh, r); };
    if (step.kind == PlanStep::Kind::all_gather) {
      return {1, element_count(before(rank).extent) * item * others};
    }
    if (step.kind == PlanStep::Kind::all_reduce) {
      const std::int64_t bytes = element_count(after(rank).extent) * item;
      std::int64_t all_roots = 0;
      for (int m : members) all_roots += roots[static_cast<std::size_t>(m)];
      const std::int64_t own = roots[static_cast<std::size_t>(rank)];
      if (others < 1 || bytes == 0) return {};
      if (others == 1 || all_roots * bytes < kSlicedFromBytes) return {1, own * bytes * others};
      const auto index =
          static_cast<int>(std::find(members.begin(), members.end(), rank) - members.begin());
      const std::int64_t slice =
          split(bytes / item, static_cast<int>(members.size()), index).size() * item;
      return {2, own * (bytes - slice) + slice * others};
    }
    const std::int64_t each =
        step.kind == PlanStep::Kind::reduce_scatter ? roots[static_cast<std::size_t>(rank)] : 1;
    Traffic traffic{1, 0};
    for (int m : members) {
      if (m == rank || !serves(plan_, step, rank, m)) continue;
      traffic.bytes_sent += element_count(intersect(before(rank), after(m)).extent) * item * each;
    }
    return traffic;
  }

  const BoundGraph& graph_;
  const Plan& plan_;
  std::map<int, const PlanStep*> makers_;
  std::map<Alike, std::vector<Traffic>> known_;
};

int stage_of(const Plan& plan, const PlanStep& step) {
  if (step.kind == PlanStep::Kind::compute) {
    return plan.decisions[static_cast<std::size_t>(step.node)].stage;
  }
  return std::max(0, plan.values[static_cast<std::size_t>(step.outputs[0])].layout.stage());
}

// A rank's part of a step that is cut.
enum class Part { none_cut, some, nothing };

Part part_of(const BoundGraph& graph, const Plan& plan, int rank) {
  Part part = Part::none_cut;
  for (const PlanStep& step : plan.steps) {
    if (step.kind != PlanStep::Kind::compute || step.cuts.empty()) continue;
    const Rule& rule = graph.nodes[static_cast<std::size_t>(step.node)].rule;
    const bool member = !members_of(plan, step, rank).empty();
    bool some = member;
    for (const Cut& c : step.cuts) {
      some = some && factor_range(rule, c.factor, step.cuts, plan.mesh, rank).size() > 0;
    }
    if (some) return Part::some;
    if (member) part = Part::nothing;
  }
  return part;
}

}  // namespace

std::vector<Traffic> traffic_of(const BoundGraph& graph, const Plan& plan) {
  return TrafficMeter(graph, plan).all();
}

double predicted_seconds(const BoundGraph& graph, const Plan& plan, const CostTable& costs,
                         int micro_batches) {
  const std::vector<double> each = step_costs(graph, plan, costs);
  std::map<int, double> stages;
  for (std::size_t s = 0; s < each.size(); ++s) stages[stage_of(plan, plan.steps[s])] += each[s];
  double sum = 0, slowest = 0;
  for (const auto& [stage, cost] : stages) {
    sum += cost;
    slowest = std::max(slowest, cost);
  }
  return seconds_of(sum + (micro_batches - 1) * slowest);
}

std::vector<KindCost> costs_by_kind(const BoundGraph& graph, const Plan& plan,
                                    const std::vector<double>& seconds_per_step) {
  std::vector<KindCost> kinds;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    const std::string kind = step.kind == PlanStep::Kind::compute
                                 ? graph.nodes[static_cast<std::size_t>(step.node)].node.op
                                 : std::string(name_of(step.kind));
    auto at = std::find_if(kinds.begin(), kinds.end(),
                           [&](const KindCost& known) { return known.kind == kind; });
    if (at == kinds.end()) at = kinds.insert(at, {kind, 0, 0});
    ++at->steps;
    at->seconds += seconds_per_step[s];
  }
  return kinds;
}

std::string summarize_prediction(const BoundGraph& graph, const Plan& plan,
                                 const PlanOptions& options, int micro_batches,
                                 std::int64_t memory_bytes) {
  Traffic most;
  for (const Traffic& traffic : traffic_of(graph, plan)) {
    most.calls = std::max(most.calls, traffic.calls);
    most.bytes_sent = std::max(most.bytes_sent, traffic.bytes_sent);
  }
  return fmt::format(
      "predicted {} per run; a rank sends at most {} bytes in {} collective call{}{}, and needs at "
      "most {} bytes of memory; {}",
      duration_text(predicted_seconds(graph, plan, options.costs, micro_batches)), most.bytes_sent,
      most.calls, most.calls == 1 ? "" : "s", micro_batches > 1 ? " per micro-batch" : "",
      memory_bytes,
      plan.proven ? "no plan costs less by the table"
                  : "not proven to be the cheapest: too many plans to try all");
}

namespace {

// "0, 3 to 5, 9".
std::string ranges_text(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", numbers[i]);
    if (end > i + 1) text += fmt::format(" to {}", numbers[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace

std::vector<std::string> idle_ranks(const BoundGraph& graph, const Plan& plan) {
  const int ranks = plan.mesh.size();
  auto share_is_0 = [&](int r) {
    const std::vector<int> at = plan.mesh.coordinates(r);
    bool zero = false;
    for (std::size_t a = 0; a < at.size(); ++a) {
      const std::vector<std::int64_t>& shares = plan.mesh.axes[a].shares;
      zero = zero || (!shares.empty() && shares[static_cast<std::size_t>(at[a])] == 0);
    }
    return zero;
  };
  std::vector<int> without_share, without_units;
  for (int r = 0; r < ranks; ++r) {
    if (part_of(graph, plan, r) != Part::nothing) continue;
    (share_is_0(r) ? without_share : without_units).push_back(r);
  }
  std::vector<std::string> lines;
  auto tell = [&](const std::vector<int>& idle, const char* why) {
    if (idle.empty()) return;
    lines.push_back(fmt::format("rank{} {} {} nothing to do: {}", idle.size() == 1 ? "" : "s",
                                ranges_text(idle), idle.size() == 1 ? "has" : "have", why));
  };
  tell(without_share, "the mesh gives no share");
  tell(without_units, "fewer units than ranks");
  return lines;
}

}  // namespace tpinfer::shard
