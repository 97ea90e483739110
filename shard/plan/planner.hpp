// Chooses a Decision for every node.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "shard/plan/cost_table.hpp"
#include "shard/plan/mesh_options.hpp"
#include "shard/plan/plan.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::shard {

// What a plan needs on the rank that needs most.
struct RankNeed {
  std::int64_t weights = 0, activations = 0;  // bytes
  std::int64_t all() const { return weights + activations; }
};

// --memory: what a rank may need. Who knows how activations are placed (runtime) says how much they
// are; planning receives that as this value.
struct MemoryLimit {
  std::int64_t bytes_per_rank = 0;  // 0 = no limit
  std::function<RankNeed(const BoundGraph&, const Plan&)> need;
};

struct PlanOptions {
  Strategies strategies;                  // --strategy
  bool uneven = false;                    // --uneven
  bool fastest = false;                   // --plan fastest: weights may stay whole
  bool batch = false;                     // --plan batch: see batch_decision()
  MeshOptions mesh;                       // --mesh, --rank-weights
  std::map<std::string, int> stages;      // node -> pipeline stage; strategies may say it too
  std::vector<std::string> batch_inputs;  // whose dimension 0 a dp axis cuts
  CostTable costs;                        // --costs
  MemoryLimit memory;                     // --memory
};

// The plan of least cost over all decisions, exactly: see search.hpp; Plan::proven says whether
// that is so. By default every weight of a matrix product is cut over all ranks where it can be;
// `fastest` lifts that, and tries to leave ranks idle and meshes of two axes as well (meshes_for).
// Deterministic: the same on every rank. With a memory limit the cheapest plan that keeps it, at
// need one that leaves weights whole; throws Fault::memory, naming the least that any plan needs
// and the ranks it would fit on, when there is none.
Plan make_plan(const BoundGraph& graph, int ranks, const PlanOptions& options);

// The meshes that a plan may use, the usual one first: all ranks along tp or the axes asked for.
// With `fastest`, unless axes, strategies or weights of ranks are given, also those where only the
// first 1, 2, 4, ... ranks of an axis have shares, and all grids of two axes.
std::vector<Mesh> meshes_for(const PlanOptions& options,
                             const std::vector<std::optional<FactorCuts>>& demands, int ranks);

// What the mesh fixes of a node before anything is chosen.
struct Fixed {
  int stage = 0;          // pipeline stage
  int batch_factor = -1;  // what a dp axis cuts; -1 = nothing, the node is whole along dp
};

// Per node; `demands` (may be empty) may say stages. Throws Fault::usage when a dp axis has nothing
// to cut, and for stages that the mesh does not have.
std::vector<Fixed> fixed_by_mesh(const BoundGraph& graph, const Mesh& mesh,
                                 const PlanOptions& options,
                                 const std::vector<std::optional<FactorCuts>>& demands = {});

// All decisions that a node may take on a mesh: exposed for the test against brute force.
std::vector<Decision> candidates_of(const BoundGraph& graph, const BoundNode& node,
                                    const Mesh& mesh, bool fastest, const Fixed& fixed);

// All decisions that fit a demand. With `uneven` the planner may also cut at leaves of the sum that
// follows, where that differs from even parts.
std::vector<Decision> demanded_decisions(const BoundGraph& graph, const BoundNode& node,
                                         const Mesh& mesh, const FactorCuts& demand, bool uneven,
                                         const Fixed& fixed);

// MindSpore's default for an operator without a strategy: the first dimension of its inputs cut
// over all ranks (unevenly where it must be), weights whole. Operators that cannot do that run
// whole.
Decision batch_decision(const BoundGraph& graph, const BoundNode& node, const Mesh& mesh,
                        const Fixed& fixed);

// The decisions that share these cuts: a pending sum may become whole or be scattered over any
// dimension.
std::vector<Decision> resolutions_of(const BoundGraph& graph, const BoundNode& node,
                                     const std::vector<Cut>& cuts, const Mesh& mesh, int stage);

}  // namespace tpinfer::shard
