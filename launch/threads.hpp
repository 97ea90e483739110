// How many threads a rank gets: the cores it may use, shared with the ranks that may use the same.
#pragma once

#include <string>

#include "comm/mpi/session.hpp"

namespace tpinfer::launch {

struct ThreadPlan {
  int threads = 1;       // per rank
  std::string text;      // "1 thread per rank, bound to 2 of 8 cores"
  bool crowded = false;  // more threads than cores on this node
};

// Collective. `wanted` 0: cores of this rank's affinity mask / ranks of the node with that mask.
ThreadPlan plan_threads(comm::Session& session, int wanted);

}  // namespace tpinfer::launch
