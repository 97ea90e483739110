#include "shard/plan/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "shard/plan/cost.hpp"
#include "shard/plan/search.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kMostRanks = 4096;  // where a plan that fits is sought

struct Fit {
  std::optional<Plan> plan;  // the cheapest that fits
  double cost = std::numeric_limits<double>::infinity();
  RankNeed least{std::numeric_limits<std::int64_t>::max() / 2, 0};  // of all plans that were seen
};

class Fitting {
 public:
  Fitting(const BoundGraph& graph, const PlanOptions& options,
          const std::vector<std::optional<FactorCuts>>& demands)
      : graph_(graph), options_(options), demands_(demands) {}

  // Looks for cheaper plans that fit on one mesh.
  void try_mesh(const Mesh& mesh, bool fastest) {
    Moves moves(graph_, mesh, options_, demands_);
    const std::int64_t limit = options_.memory.bytes_per_rank;
    try_prices(moves, mesh, fastest);
    Search search(moves, fastest, {fit.cost, limit});
    for (Found& found : search.run()) {
      if (take(mesh, found, search.proven())) break;
    }
    if (fit.plan && !search.proven()) fit.plan->proven = false;
  }

  // Looks at the leanest plans of one mesh, whether they fit or not.
  void see_all(const Mesh& mesh) {
    Moves moves(graph_, mesh, options_, demands_);
    SearchLimits limits;
    limits.weight_bytes = std::numeric_limits<std::int64_t>::max() / 4;
    for (Found& found : Search(moves, true, limits).run()) take(mesh, found, false);
  }

  Fit fit;

 private:
  // Whether the plan fits; remembers the cheapest.
  bool take(const Mesh& mesh, Found& found, bool proven) {
    Plan plan = lay_out(graph_, mesh, std::move(found.decisions));
    plan.proven = proven;
    const RankNeed need = options_.memory.need(graph_, plan);
    if (need.all() < fit.least.all()) fit.least = need;
    if (need.all() > options_.memory.bytes_per_rank) return false;
    const double cost = plan_cost(graph_, plan, options_.costs);
    if (cost < fit.cost) fit.cost = cost, fit.plan = std::move(plan);
    return true;
  }

  // With a price on bytes the search needs no labels; the least price at which a plan fits gives a
  // good one soon, which the search by labels then has to beat.
  void try_prices(Moves& moves, const Mesh& mesh, bool fastest) {
    double low = -4, high = 8;  // powers of ten of picoseconds per byte
    for (int i = 0; i < 16; ++i) {
      const double middle = (low + high) / 2;
      SearchLimits limits;
      limits.byte_price = std::pow(10, middle);
      std::vector<Found> found = Search(moves, fastest, limits).run();
      (!found.empty() && take(mesh, found[0], false) ? high : low) = middle;
    }
  }

  const BoundGraph& graph_;
  const PlanOptions& options_;
  const std::vector<std::optional<FactorCuts>>& demands_;
};

std::string need_text(const RankNeed& need) {
  auto text = [](std::int64_t bytes) { return bytes_text(static_cast<std::size_t>(bytes)); };
  return fmt::format("{} bytes per rank (weights {}, activations {})", need.all(),
                     text(need.weights), text(need.activations));
}

// No plan on so many ranks needs less on all of them: each weight is on some rank, whole or in
// parts. Of the tensors that see one dataset, in boxes that may overlap, only the largest counts.
std::int64_t least_weight_bytes(const BoundGraph& graph, int ranks) {
  std::map<std::pair<int, std::string>, std::size_t> datasets;
  for (const auto& [name, tensor] : graph.tensors) {
    if (!tensor.weight) continue;
    std::size_t& bytes = datasets[{tensor.weight->file, tensor.weight->dataset}];
    bytes = std::max(bytes, byte_count(tensor.shape, tensor.dtype));
  }
  std::size_t all = 0;
  for (const auto& [dataset, bytes] : datasets) all += bytes;
  return static_cast<std::int64_t>(all) / ranks;
}

// The first of 2, 4, ... times as many ranks on which some plan fits; 0 = none.
int ranks_that_fit(const BoundGraph& graph, int ranks, PlanOptions options) {
  options.mesh.tp.clear();
  options.mesh.rank_weights.clear();
  options.strategies.clear();
  for (int more = 2 * ranks; more <= kMostRanks; more *= 2) {
    if (least_weight_bytes(graph, more) > options.memory.bytes_per_rank) continue;
    const std::vector<std::optional<FactorCuts>> demands(graph.nodes.size());
    options.fastest = false;
    Fitting fitting(graph, options, demands);
    for (const Mesh& mesh : meshes_for(options, demands, more)) fitting.try_mesh(mesh, true);
    if (fitting.fit.plan) return more;
  }
  return 0;
}

}  // namespace

Plan fit_memory(const BoundGraph& graph, int ranks, const PlanOptions& options,
                const std::vector<std::optional<FactorCuts>>& demands) {
  const std::vector<Mesh> meshes = meshes_for(options, demands, ranks);
  const std::int64_t limit = options.memory.bytes_per_rank;
  for (bool fastest : {false, true}) {
    if (!fastest && options.fastest) continue;
    if (least_weight_bytes(graph, ranks) > limit) break;
    Fitting fitting(graph, options, demands);
    for (const Mesh& mesh : meshes) fitting.try_mesh(mesh, fastest);
    if (fitting.fit.plan) return std::move(*fitting.fit.plan);
  }
  Fitting fitting(graph, options, demands);
  for (const Mesh& mesh : meshes) fitting.see_all(mesh);
  const int more = ranks_that_fit(graph, ranks, options);
  fail(Fault::memory,
       fmt::format("--memory {}: no plan on {} rank{} needs so little; the least is {}; {}", limit,
                   ranks, ranks == 1 ? "" : "s", need_text(fitting.fit.least),
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
