// The plan: which rank computes what, and what moves between them. Pure data, the same on every
// rank, printable (`tpmodel plan`, `--explain`).
#pragma once

#include <string>
#include <vector>

#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard {

// What is decided for one node. Everything else in a plan follows from these.
struct Decision {
  std::vector<Cut> cuts;              // of the rule's factors, over disjoint mesh axes
  std::vector<Placement> resolution;  // per mesh axis: what a pending sum becomes (replicate or
                                      // shard); unused entries are replicate
  Division resolution_division;       // of the dimension a pending sum is scattered over
  int stage = 0;                      // the pipeline stage that runs the node
  bool operator==(const Decision&) const = default;
};

// A tensor in one layout. A tensor that is used in two layouts is two values.
struct Value {
  std::string tensor;
  DType dtype = DType::f32;
  Shape shape;  // global
  Layout layout;
};

struct PlanStep {
  enum class Kind : std::uint8_t {
    compute,         // run a node
    narrow,          // keep a part of what one has: no communication
    all_gather,      // shards -> whole
    all_to_all,      // shards -> other shards
    all_reduce,      // pending sum -> whole
    reduce_scatter,  // pending sum -> shards
    send,            // from the ranks of one pipeline stage to those of another
  };
  Kind kind = Kind::compute;
  int node = -1;            // compute: index into BoundGraph::nodes
  std::vector<int> inputs;  // indices into Plan::values; -1 = left out
  std::vector<int> outputs;
  std::vector<Cut> cuts;  // compute
  std::vector<int> axes;  // the mesh axes a collective spans
};

struct Plan {
  Mesh mesh;
  std::vector<Value> values;
  std::vector<PlanStep> steps;
  std::vector<int> weights;  // values that are loaded
  std::vector<int> inputs;   // values that are fed, whole on every rank; in the graph's order
  // Values that are returned, whole on every rank that holds them (the last pipeline stage, which
  // sends them to the others once per run); in the graph's order.
  std::vector<int> outputs;
  std::vector<Decision> decisions;  // per node
  // Whether no other plan costs less by the table; else too many had to be left out.
  bool proven = true;
};

// The ranks that run a step together with `rank`, in the order of their group along step.axes:
// for a compute step {rank}; without the ranks of pipeline stages that have no part in it; empty
// when `rank` itself has none.
std::vector<int> members_of(const Plan& plan, const PlanStep& step, int rank);

// Whether rank `source` serves rank `target` in a collective step: of several ranks that hold the
// same part, the one with the target's own coordinates along step.axes does.
bool serves(const Plan& plan, const PlanStep& step, int source, int target);

bool is_collective(PlanStep::Kind kind);
// "all-gather" and so on.
std::string_view name_of(PlanStep::Kind kind);

// Writes out the decisions: layouts, and a reshard wherever a layout changes.
Plan lay_out(const BoundGraph& graph, const Mesh& mesh, std::vector<Decision> decisions);

// The decisions of a plan for the same graph on other extents. Factors are matched by name; a cut
// of a factor that can no longer be cut (a batch of one row) is dropped.
std::vector<Decision> carry_over(const BoundGraph& from, const std::vector<Decision>& decisions,
                                 const BoundGraph& to);

// How a value gets from one layout to another of the same tensor (neither is partial).
struct Reshard {
  PlanStep::Kind kind;
  std::vector<int> axes;
};
Reshard reshard_between(const Shape& shape, const Layout& from, const Layout& to, const Mesh& mesh);

// The subtrees that a rank adds of a sum whose contracted factor is cut (kernels/base/leaves.hpp):
// none without whole leaves, exactly one when nothing is cut.
std::vector<Range> roots_on(const Rule& rule, const std::vector<Cut>& cuts, const Mesh& mesh,
                            int rank);

// For a step that adds a pending sum: the subtrees that each rank of this rank's group holds, in
// the order of the group.
std::vector<std::vector<Range>> roots_of_sum(const BoundGraph& graph, const Plan& plan,
                                             const PlanStep& step, int rank);

// The range of a factor that a rank works on.
Range factor_range(const Rule& rule, int factor, const std::vector<Cut>& cuts, const Mesh& mesh,
                   int rank);

// Bytes of a value on one rank. A pending sum counts its result once.
std::size_t local_bytes(const Value& value, const Mesh& mesh, int rank);

// Bytes of the weights that one rank reads.
std::size_t weight_bytes(const Plan& plan, int rank);
// Bytes of all weights that the plan uses, each tensor once.
std::size_t total_weight_bytes(const Plan& plan);

}  // namespace tpinfer::shard
