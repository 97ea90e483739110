// What a step of a plan costs, by the stored table.
#pragma once

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// Elements of the largest part that any rank holds.
std::int64_t largest_part(const Shape& shape, const Layout& layout, const Mesh& mesh);

// Seconds of one node on the rank with the most work.
double compute_cost(const BoundGraph& graph, const BoundNode& node, const std::vector<Cut>& cuts,
                    const Mesh& mesh, const CostTable& costs);

// Seconds of a reshard or of adding a pending sum.
double transfer_cost(PlanStep::Kind kind, const std::vector<int>& axes, const Tensor& tensor,
                     const Layout& to, const Mesh& mesh, const CostTable& costs);

}  // namespace tpinfer::shard
