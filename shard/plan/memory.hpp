// Planning within so many bytes per rank.
#pragma once

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// The cheapest plan that keeps options.memory; see make_plan. `demands` are those of the graph.
Plan fit_memory(const BoundGraph& graph, int ranks, const PlanOptions& options,
                const std::vector<std::optional<FactorCuts>>& demands);

// "8GiB", "512MiB", "1.5 GB", "4096": bytes, at least 1. KiB, MiB, GiB, TiB are powers of 1024, KB
// (kB), MB, GB, TB powers of 1000, B is a byte. Throws Fault::usage, naming `option`.
std::int64_t parse_bytes(const std::string& option, const std::string& text);

}  // namespace tpinfer::shard
