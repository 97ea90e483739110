#include "shard/plan/planner.hpp"

#include <algorithm>
#include <utility>

#include "shard/plan/memory.hpp"
#include "shard/plan/search.hpp"

namespace tpinfer::shard {

std::vector<Mesh> meshes_for(const PlanOptions& options,
                             const std::vector<std::optional<FactorCuts>>& demands, int ranks) {
  const int tp = tensor_ranks(options.mesh, ranks);
  std::vector<Mesh> meshes{with_roles(options.mesh, mesh_for(demands, tp, options.mesh.tp))};
  const bool demanded = std::any_of(demands.begin(), demands.end(),
                                    [](const auto& demand) { return demand.has_value(); });
  if (!options.fastest || demanded || !options.mesh.tp.empty() ||
      !options.mesh.rank_weights.empty()) {
    return meshes;
  }
  auto add = [&](Mesh tensor_mesh) {
    meshes.push_back(with_roles(options.mesh, std::move(tensor_mesh)));
  };
  for (int busy = 1; busy < tp; busy *= 2) {
    MeshAxis axis{"tp", tp, std::vector<std::int64_t>(static_cast<std::size_t>(tp), 0)};
    std::fill_n(axis.shares.begin(), busy, 1);
    add({{std::move(axis)}});
  }
  for (int major = 2; major <= tp / 2; ++major) {
    if (tp % major == 0) add({{{"tp0", major}, {"tp1", tp / major}}});
  }
  return meshes;
}

Plan make_plan(const BoundGraph& graph, int ranks, const PlanOptions& options) {
  const auto demands =
      demands_of(graph, options.strategies, tensor_ranks(options.mesh, ranks), options.uneven);
  std::optional<Plan> best;
  SearchLimits limits;
  bool proven = true;
  for (const Mesh& mesh : meshes_for(options, demands, ranks)) {
    Moves moves(graph, mesh, options, demands);
    Search search(moves, options.fastest, limits);
    std::vector<Found> found = search.run();
    proven = proven && search.proven();
    if (found.empty()) continue;
    limits.cost = found[0].cost;
    best = lay_out(graph, mesh, std::move(found[0].decisions));
  }
  best->proven = proven;
  const MemoryLimit& memory = options.memory;
  if (memory.bytes_per_rank > 0 && memory.need(graph, *best).all() > memory.bytes_per_rank) {
    return fit_memory(graph, ranks, options, demands);
  }
  return std::move(*best);
}

}  // namespace tpinfer::shard
