// Why a plan is as it is: per node the runner-up and what it would cost, or what left no choice.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// One line per node: "MatMul fc1: cut n/8, 12.0 us; next best: cut k/8, +19.0 us". Costs are a
// node's own and those of resharding its inputs; what the runner-up costs more is of the whole run,
// the nodes around it adapting. `options` are those of make_plan.
std::vector<std::string> reasons(const BoundGraph& graph, const Plan& plan,
                                 const PlanOptions& options);

// "cut n/8", "cut k/8, the sum scattered over d1", "whole".
std::string decision_text(const Rule& rule, const Decision& decision, const Mesh& mesh);

// "850 ns", "12.3 us", "4.56 ms", "1.23 s": three digits.
std::string duration_text(double seconds);

}  // namespace tpinfer::shard
