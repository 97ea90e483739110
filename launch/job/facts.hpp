// What decides the bits of a run's output, so that a later run may go on where it ended.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launch/run.hpp"
#include "shard/plan/graph.hpp"

namespace tpinfer::launch {

// Names and values, for JobProgress::facts: the release and its arithmetic, the model by its
// content, the graph, and `inputs` (names, types, shapes), whose values RunJob hashes as they are
// read. Ranks, mesh, strategies, threads, kernels and batches decide no bits and are not in it.
// Local.
std::vector<std::pair<std::string, std::string>> facts_of(const Context& context,
                                                          const shard::Graph& graph,
                                                          const std::string& inputs);

}  // namespace tpinfer::launch
