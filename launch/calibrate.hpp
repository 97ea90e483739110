// tpinfer --calibrate: measures the cost table that plans are made by (shard/plan/cost_table.hpp).
#pragma once

#include "comm/mpi/session.hpp"
#include "launch/options.hpp"
#include "launch/story.hpp"
#include "shard/plan/cost_table.hpp"

namespace tpinfer::launch {

// Measures on all ranks of the session and writes options.calibrate, whole or not at all. Takes
// some seconds. Throws Fault::cannot_create or Fault::io. Collective.
void calibrate(const Options& options, comm::Session& session, Story& story);

// The parts, for calibrate(). Each figure is the median over rounds of the slowest rank's time, the
// rounds of all figures interleaved. Collective; all ranks get the same.

// Products, memory, operators: one rank of a node alone, and all of them at once.
void measure_rank(const Options& options, comm::Session& session, shard::CostTable& costs);

// Collectives as the engine uses them, over 2, 4, ... ranks of a node, all of its ranks, and over
// several nodes if there are.
void measure_collectives(comm::Session& session, shard::CostTable& costs);

// times[round] of this rank -> the median over rounds of the slowest rank of the world. Ranks that
// took no part give zeros.
double median_of_slowest(comm::Communicator& world, const std::vector<double>& times);

inline constexpr int kRounds = 9;

}  // namespace tpinfer::launch
