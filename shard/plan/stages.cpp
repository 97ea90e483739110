#include "shard/plan/stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/error.hpp"
#include "shard/plan/cost.hpp"

namespace tpinfer::shard {
namespace {

// Cuts `seconds` into `parts` runs whose largest sum is least: a dynamic programme over the prefix
// sums. Every run has at least one node.
std::vector<int> balanced(const std::vector<double>& seconds, int parts) {
  const std::size_t count = seconds.size();
  std::vector<double> before(count + 1);
  for (std::size_t n = 0; n < count; ++n) before[n + 1] = before[n] + seconds[n];
  constexpr double kNever = std::numeric_limits<double>::infinity();
  // worst[n]: the largest run of the first n nodes in p runs; from[p][n]: where the last begins.
  std::vector<double> worst(count + 1, kNever);
  worst[0] = 0;
  std::vector<std::vector<std::size_t>> from;
  for (int p = 0; p < parts; ++p) {
    std::vector<double> next(count + 1, kNever);
    std::vector<std::size_t>& begins = from.emplace_back(count + 1);
    for (std::size_t n = 1; n <= count; ++n) {
      for (std::size_t begin = 0; begin < n; ++begin) {
        const double largest = std::max(worst[begin], before[n] - before[begin]);
        if (largest < next[n]) next[n] = largest, begins[n] = begin;
      }
    }
    worst = std::move(next);
  }
  std::vector<int> stage(count);
  std::size_t end = count;
  for (int p = parts; p-- > 0;) {
    const std::size_t begin = from[static_cast<std::size_t>(p)][end];
    std::fill(stage.begin() + static_cast<std::ptrdiff_t>(begin),
              stage.begin() + static_cast<std::ptrdiff_t>(end), p);
    end = begin;
  }
  return stage;
}

}  // namespace

std::vector<int> assign_stages(const BoundGraph& graph, int stages,
                               const std::map<std::string, int>& given, const CostTable& costs) {
  std::vector<int> stage(graph.nodes.size());
  for (const auto& [name, wanted] : given) {
    if (wanted < 0 || wanted >= stages) {
      fail(Fault::usage, fmt::format("--strategy: {} is put on stage {}; there are {} (--mesh pp)",
                                     name, wanted, stages));
    }
  }
  if (stages == 1) return stage;
  if (!given.empty()) {
    int current = 0;
    for (std::size_t n = 0; n < stage.size(); ++n) {
      const auto at = given.find(graph.nodes[n].node.name);
      if (at != given.end()) current = at->second;
      stage[n] = current;
    }
    return stage;
  }
  if (graph.nodes.size() < static_cast<std::size_t>(stages)) {
    fail(Fault::usage,
         fmt::format("--mesh: {} pipeline stages for {} operators", stages, graph.nodes.size()));
  }
  std::vector<double> seconds;
  const Mesh one{{{"tp", 1}}};
  for (const BoundNode& node : graph.nodes) {
    seconds.push_back(compute_cost(graph, node, {}, one, costs));
  }
  return balanced(seconds, stages);
}

}  // namespace tpinfer::shard
