// What a run cost, over all ranks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace tpinfer::launch {

struct RankTimes {
  double load = 0, compute = 0, communication = 0, waiting = 0;  // seconds
  std::int64_t weight_bytes_read = 0;  // stored bytes, from the model file
  std::int64_t weight_bytes = 0;       // in memory
  std::int64_t activation_bytes = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t collective_calls = 0;
};

// Every rank's figures on every rank. Collective.
std::vector<RankTimes> gather_times(comm::Communicator& world, const RankTimes& mine);

// The slowest rank's seconds: "load 0.01 s, compute 0.20 s, communication 0.05 s, waiting 0.01 s".
std::string times_text(const std::vector<RankTimes>& ranks);

}  // namespace tpinfer::launch
