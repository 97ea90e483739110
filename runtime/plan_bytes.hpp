// What a plan needs in memory, per rank.
#pragma once

#include <cstddef>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::runtime {

struct RankBytes {
  std::size_t weights = 0;      // its parts of them
  std::size_t activations = 0;  // the arena of its program
};

// Ranks that hold equally much of everything are compiled once.
std::vector<RankBytes> bytes_per_rank(const shard::BoundGraph& graph, const shard::Plan& plan);

// Of the rank that needs most in all: what shard::MemoryLimit asks for.
shard::RankNeed largest_need(const shard::BoundGraph& graph, const shard::Plan& plan);

}  // namespace tpinfer::runtime
