// An orderly end on SIGTERM, SIGINT or SIGUSR1: between two batches, on all ranks together.
#pragma once

#include <cstdint>

#include "comm/communicator.hpp"

namespace tpinfer::launch {

// From now on these signals end this process at once with Fault::temporary: while it starts,
// nothing is lost, and a job script sees that it may run it again. Rank 0 says so, unless it is the
// launcher's SIGTERM: then another rank has failed. Local; call it first.
void end_on_signals();

// From now on these signals ask for the end instead of killing. Local; call after MPI is up. A
// second SIGTERM or SIGINT kills as usual.
void watch_signals();

// The signal that asked this process to end, 0 when none has. Local.
int drain_signal();
// Whether any rank was asked to end: the number of a signal, else the largest `mine` of all ranks,
// which stands for another reason and is less than 1. Collective: one small all-gather.
int agreed_stop(comm::Communicator& world, int mine);

// Throws Fault::temporary on all ranks when any of them was asked to end, saying how many rows were
// done. Collective: one small all-gather.
void stop_if_drained(comm::Communicator& world, std::int64_t rows_done, std::int64_t rows);

}  // namespace tpinfer::launch
