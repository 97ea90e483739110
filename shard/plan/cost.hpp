// What a step of a plan costs, by the stored table. Costs are whole picoseconds in a double: sums
// are exact, in any order, up to two hours.
#pragma once

#include "shard/plan/cost_table.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

// Where a sum's roots begin to travel in slices (comm/root_reduce).
inline constexpr std::int64_t kSlicedFromBytes = 256 * 1024;

double picoseconds(double seconds);
inline double seconds_of(double cost) { return cost * 1e-12; }

// Elements of the largest part that any rank holds, and of the smallest.
std::int64_t largest_part(const Shape& shape, const Layout& layout, const Mesh& mesh);
std::int64_t smallest_part(const Shape& shape, const Layout& layout, const Mesh& mesh);

// How fast a rank computes, 1 being the fastest: by the shares of the mesh. A share of 0 says that
// a rank idles, not that it is slow.
double speed_of(const Mesh& mesh, int rank);

// One node, on the rank of its stage that needs longest: arithmetic or memory, whatever takes
// longer; not less than what the ranks of a machine need together.
double compute_cost(const BoundGraph& graph, const BoundNode& node, const std::vector<Cut>& cuts,
                    const Mesh& mesh, const CostTable& costs, int stage = 0);

// Moving a tensor from one layout to another, or adding a pending sum.
struct Movement {
  PlanStep::Kind kind;
  const std::vector<int>& axes;
  const Tensor& tensor;
  const Layout &from, &to;
  int roots = 0;  // of a sum: subtrees that all ranks of the group send (kernels/base/leaves.hpp)
};

// Bytes that the rank with the most receives (runtime/transfer, comm/root_reduce):
//   all-gather      the result without its own, smallest part
//   all-to-all      its new part
//   all-reduce      the others' roots; from 256 KiB on, over more than 2 ranks, its slice of them
//                   and then the slices of the result
//   reduce-scatter  the others' roots of its part
//   send            its part
double bytes_received(const Movement& movement, const Mesh& mesh);

// Never less than copying the result, so that having a tensor in more layouts never costs more.
double transfer_cost(const Movement& movement, const Mesh& mesh, const CostTable& costs);

// Roots that the ranks of a stage's first group send of a sum whose cuts these are.
int roots_in_group(const Rule& rule, const std::vector<Cut>& cuts, const Mesh& mesh,
                   const std::vector<int>& axes, int stage);

// Per step of a plan.
std::vector<double> step_costs(const BoundGraph& graph, const Plan& plan, const CostTable& costs);

// Their sum: what make_plan minimises.
double plan_cost(const BoundGraph& graph, const Plan& plan, const CostTable& costs);

}  // namespace tpinfer::shard
