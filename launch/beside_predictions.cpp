#include <fmt/format.h>

#include <algorithm>

#include "launch/graph_runner.hpp"
#include "shard/plan/cost.hpp"
#include "shard/plan/predict.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::launch {
namespace {

void add(std::vector<shard::KindCost>& sum, const shard::KindCost& more, double times) {
  auto at = std::find_if(sum.begin(), sum.end(),
                         [&](const shard::KindCost& known) { return known.kind == more.kind; });
  if (at == sum.end()) at = sum.insert(at, {more.kind, more.steps, 0});
  at->seconds += more.seconds * times;
}

}  // namespace

std::vector<std::string> GraphRunner::times_beside_predictions() {
  std::vector<shard::KindCost> predicted, measured;
  std::vector<double> sums(1, 0);  // of this rank: in all, then per kind
  int runs = 0;
  for (const runtime::StepTimes& times : engine_->step_times()) {
    if (times.runs == 0) continue;
    runs += times.runs;
    std::vector<double> seconds = shard::step_costs(times.graph, times.plan, plan_options_.costs);
    for (double& cost : seconds) cost = shard::seconds_of(cost);
    for (const auto& kind : shard::costs_by_kind(times.graph, times.plan, seconds)) {
      add(predicted, kind, times.runs);
    }
    for (const auto& kind : shard::costs_by_kind(times.graph, times.plan, times.seconds)) {
      add(measured, kind, 1);
      sums[0] += kind.seconds;
    }
  }
  for (const shard::KindCost& kind : measured) sums.push_back(kind.seconds);
  // All ranks have the same plans and so the same kinds in the same order.
  const std::size_t bytes = sums.size() * sizeof(double);
  std::vector<double> all(sums.size() * static_cast<std::size_t>(world_.size()));
  world_.all_gather(sums.data(),
                    std::vector<std::size_t>(static_cast<std::size_t>(world_.size()), bytes),
                    all.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    sums[i % sums.size()] = std::max(sums[i % sums.size()], all[i]);
  }
  std::vector<std::string> lines;
  double total = 0;
  auto line = [&](const std::string& what, double expected, double took) {
    const double each = runs;
    return fmt::format("{}: predicted {}, measured {} per run", what,
                       shard::duration_text(expected / each), shard::duration_text(took / each));
  };
  for (std::size_t k = 0; runs > 0 && k < predicted.size(); ++k) {
    lines.push_back(line(fmt::format("{} x{}", predicted[k].kind, predicted[k].steps),
                         predicted[k].seconds, sums[k + 1]));
    total += predicted[k].seconds;
  }
  if (runs > 0) {
    lines.push_back(line("all steps", total, sums[0]) + " (slowest rank, waiting included)");
  }
  return lines;
}

}  // namespace tpinfer::launch
