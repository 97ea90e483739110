// Finds ranks that call different collectives, which would otherwise wait for ever or mix up bytes.
#pragma once

#include <memory>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

// Whether calls are to be checked: TPINFER_CHECK_CALLS=1 is set.
bool calls_are_checked();

// `inner`, with an all-gather of 24 bytes per rank before each call: its number, kind, and what
// must be equal on all ranks (root, sizes). On a difference all ranks throw the same Error,
// Fault::internal, which names the first two calls that differ; rank 0 does so a second before the
// others, so that one line is said. A rank that calls once more than the others waits: that is the
// watchdog's to see. The check counts as calls of `inner`.
std::unique_ptr<Communicator> checked(std::unique_ptr<Communicator> inner);

}  // namespace tpinfer::comm
