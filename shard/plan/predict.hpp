// What a plan is predicted to take.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// What one run sends, as comm counts it: a rank's data once for every other rank that receives it.
struct Traffic {
  std::int64_t calls = 0;  // collectives
  std::int64_t bytes_sent = 0;
};

// Per rank, of one run (of one micro-batch). Exactly what the engine's transfers do.
std::vector<Traffic> traffic_of(const BoundGraph& graph, const Plan& plan);

// Seconds of a run of so many micro-batches: with pipeline stages, one micro-batch through all of
// them and the others behind it at the pace of the slowest.
double predicted_seconds(const BoundGraph& graph, const Plan& plan, const CostTable& costs,
                         int micro_batches);

// Predicted seconds by operator ("MatMul") and by collective ("all-reduce"), in the order of first
// use, with the number of steps.
struct KindCost {
  std::string kind;
  int steps = 0;
  double seconds = 0;
};
std::vector<KindCost> costs_by_kind(const BoundGraph& graph, const Plan& plan,
                                    const std::vector<double>& seconds_per_step);

// "predicted 12.3 us per run; at most 4096 bytes sent in 2 collectives, 8192 bytes of memory per
// rank", and whether no plan is better.
std::string summarize_prediction(const BoundGraph& graph, const Plan& plan,
                                 const PlanOptions& options, int micro_batches,
                                 std::int64_t memory_bytes);

// One line per rank that has no part of any operator ("rank 5 has nothing to do: ..."), those of
// one reason together.
std::vector<std::string> idle_ranks(const BoundGraph& graph, const Plan& plan);

}  // namespace tpinfer::shard
