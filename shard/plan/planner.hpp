// Chooses a Decision for every node.
#pragma once

#include <map>
#include <string>

#include "shard/plan/mesh_options.hpp"
#include "shard/plan/plan.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::shard {

// What a rank computes and moves per second: a stored table, never timed inside a run, so that all
// ranks choose the same plan. The defaults are orders of magnitude of one core of a current
// server and of shared memory or a fast network between ranks; only their ratios matter.
struct CostTable {
  double latency_seconds = 4e-6;         // per collective, and again per doubling of the ranks
  double wire_bytes_per_second = 2e9;    // received by one rank
  double memory_bytes_per_second = 8e9;  // weights and activations read
  double flops_per_second = 3e10;        // multiply-adds count two
};

struct PlanOptions {
  Strategies strategies;                  // --strategy
  bool uneven = false;                    // --uneven
  bool fastest = false;                   // --plan fastest: weights may stay whole
  MeshOptions mesh;                       // --mesh, --rank-weights
  std::map<std::string, int> stages;      // node -> pipeline stage; strategies may say it too
  std::vector<std::string> batch_inputs;  // whose dimension 0 a dp axis cuts
  CostTable costs;
  bool batch = false;  // --plan batch: nodes without a strategy as batch_decision() says
};

// The plan of least cost over all decisions, exactly: a dynamic programme over the nodes whose
// state is the set of layouts in which the live tensors exist (at most `kMaxStates` cheapest
// states are kept; networks that are chains of layers stay far below). By default every weight of
// a matrix product is cut over all ranks where it can be. Deterministic: the same on every rank.
Plan make_plan(const BoundGraph& graph, int ranks, const PlanOptions& options);

// Seconds that a plan takes by the table. What make_plan minimises.
double plan_cost(const BoundGraph& graph, const Plan& plan, const CostTable& costs);

// What the mesh fixes of a node before anything is chosen.
struct Fixed {
  int stage = 0;          // pipeline stage
  int batch_factor = -1;  // what a dp axis cuts; -1 = nothing, the node is whole along dp
};

// Per node. Throws Fault::usage when a dp axis has nothing to cut.
std::vector<Fixed> fixed_by_mesh(const BoundGraph& graph, const Mesh& mesh,
                                 const PlanOptions& options);

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
