#include "shard/plan/memory.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "shard/plan/search.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kMostRanks = 4096;  // where a plan that fits is sought

struct Fit {
  std::optional<Plan> plan;  // the cheapest that fits
  double cost = std::numeric_limits<double>::infinity();
  RankNeed least{std::numeric_limits<std::int64_t>::max() / 2, 0};  // of all plans that were seen
};

// Takes the cheapest plan of one mesh that fits. Weights alone must keep `weight_bytes`.
void try_mesh(const BoundGraph& graph, const Mesh& mesh, const PlanOptions& options,
              const std::vector<std::optional<FactorCuts>>& demands, bool fastest,
              std::int64_t weight_bytes, Fit& fit) {
  Moves moves(graph, mesh, options, demands);
  Search search(moves, fastest, {std::numeric_limits<double>::infinity(), weight_bytes});
  for (Found& found : search.run()) {
    Plan plan = lay_out(graph, mesh, std::move(found.decisions));
    plan.proven = search.proven();
    const RankNeed need = options.memory.need(graph, plan);
    if (need.all() < fit.least.all()) fit.least = need;
    if (need.all() > options.memory.bytes_per_rank) continue;
    if (found.cost < fit.cost) fit.cost = found.cost, fit.plan = std::move(plan);
    return;
  }
}

std::string need_text(const RankNeed& need) {
  auto text = [](std::int64_t bytes) { return bytes_text(static_cast<std::size_t>(bytes)); };
  return fmt::format("{} bytes per rank (weights {}, activations {})", need.all(),
                     text(need.weights), text(need.activations));
}

// The first of 2, 4, ... times as many ranks on which some plan fits; 0 = none.
int ranks_that_fit(const BoundGraph& graph, int ranks, PlanOptions options) {
  options.mesh.tp.clear();
  options.mesh.rank_weights.clear();
  options.strategies.clear();
  for (int more = 2 * ranks; more <= kMostRanks; more *= 2) {
    const std::vector<std::optional<FactorCuts>> demands(graph.nodes.size());
    options.fastest = false;
    Fit fit;
    for (const Mesh& mesh : meshes_for(options, demands, more)) {
      try_mesh(graph, mesh, options, demands, true, options.memory.bytes_per_rank, fit);
    }
    if (fit.plan) return more;
  }
  return 0;
}

}  // namespace

Plan fit_memory(const BoundGraph& graph, int ranks, const PlanOptions& options,
                const std::vector<std::optional<FactorCuts>>& demands) {
  const std::vector<Mesh> meshes = meshes_for(options, demands, ranks);
  const std::int64_t limit = options.memory.bytes_per_rank;
  Fit fit;
  for (bool fastest : {false, true}) {
    if (!fastest && options.fastest) continue;
    for (const Mesh& mesh : meshes) {
      try_mesh(graph, mesh, options, demands, fastest, limit, fit);
    }
    if (fit.plan) return std::move(*fit.plan);
  }
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max() / 4;
  PlanOptions none = options;
  none.memory.bytes_per_rank = 0;  // for the least need
  for (const Mesh& mesh : meshes) try_mesh(graph, mesh, none, demands, true, kAny, fit);
  const int more = ranks_that_fit(graph, ranks, options);
  fail(Fault::memory,
       fmt::format("--memory {}: no plan on {} rank{} needs so little; the least is {}; {}", limit,
                   ranks, ranks == 1 ? "" : "s", need_text(fit.least),
                   more > 0 ? fmt::format("it would fit on {} ranks", more)
                            : fmt::format("more ranks do not help, tried up to {}: use a smaller "
                                          "batch",
                                          kMostRanks)));
}

std::int64_t parse_bytes(const std::string& option, const std::string& text) {
  static const std::pair<const char*, double> units[] = {
      {"", 1},     {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
      {"KB", 1e3}, {"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  std::string unit(end, text.data() + text.size());
  while (!unit.empty() && unit.front() == ' ') unit.erase(unit.begin());
  for (const auto& [name, factor] : units) {
    const double bytes = number * factor;
    if (error == std::errc() && unit == name && bytes >= 1 && bytes <= 0x1p60) {
      return static_cast<std::int64_t>(bytes);
    }
  }
  fail(Fault::usage, fmt::format("{} {}: write bytes such as 8GiB, 512MiB or 1.5GB", option, text));
}

}  // namespace tpinfer::shard
