// What a run cost, over all ranks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace tpinfer::launch {

struct RankTimes {
  double load = 0, compute = 0, communication = 0, waiting = 0;  // seconds
  std::int64_t weight_bytes_read = 0;    // stored bytes, from the model file
  std::int64_t files_opened = 0;         // of the model
  std::int64_t weight_bytes = 0;         // in memory
  std::int64_t shared_weight_bytes = 0;  // of these: in memory that another process has filled
  std::int64_t activation_bytes = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t collective_calls = 0;
  std::int64_t resident_bytes_at_start = 0;  // the peak when MPI had started
  std::int64_t peak_resident_bytes = 0;      // in the end
};

// Every rank's figures on every rank. Collective.
std::vector<RankTimes> gather_times(comm::Communicator& world, const RankTimes& mine);

// The slowest rank's seconds: "load 0.01 s, compute 0.20 s, communication 0.05 s, waiting 0.01 s".
std::string times_text(const std::vector<RankTimes>& ranks);

// A warning about one rank that computes far longer than its peers (those that hold at least half
// as many weights): three times their median, and half a second more. "" when there is none.
//   rank 2 on node7 computed 3.10 s, its peers 0.40 s: it is slower or shares its cores
std::string imbalance_text(const std::vector<RankTimes>& ranks,
                           const std::vector<std::string>& hosts);

// Least and most over the ranks: "96 to 128", or "96" when all have the same.
std::string range_text(const std::vector<RankTimes>& ranks, std::int64_t RankTimes::*member);

}  // namespace tpinfer::launch
