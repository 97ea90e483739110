// Graphs and plans as text: for people (`tpmodel plan`, `--explain`), golden tests and the
// fingerprint that ranks compare.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

// One line per node: names, operators, attributes, tensors with shapes.
std::string describe_graph(const BoundGraph& graph);

// One line per step: what is computed in which layout, what moves and how many bytes.
std::string describe_plan(const BoundGraph& graph, const Plan& plan);

// Why: one line per weight that is not cut over all ranks, and per rank that is idle somewhere.
std::vector<std::string> explain_plan(const BoundGraph& graph, const Plan& plan);

// Collectives of a plan: "2 collectives, 24.0 KiB: 1 all-reduce 16.0 KiB, 1 all-gather 8.0 KiB".
// Bytes are those of the results.
std::string summarize_collectives(const Plan& plan);

// The same of a run of several micro-batches, with what stages send at its end.
std::string summarize_run(const Plan& plan, int micro_batches);

// Bytes of a collective's result on one rank with the most.
std::size_t result_bytes(const Plan& plan, const PlanStep& step);

}  // namespace tpinfer::shard
