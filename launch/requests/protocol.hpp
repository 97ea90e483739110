// How rank 0 tells the other ranks what comes next.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "launch/requests/callable.hpp"

namespace tpinfer::launch {

// What all ranks do next: run a callable on certain extents, or end.
struct Order {
  int callable = -1;  // -1: the end
  shard::Symbols symbols;
  int fault = 0;     // of the end: 0, or a Fault
  std::string text;  // of a fault
};

// What rank 0 gives is what all ranks get. The others wait without using a core, however long it
// takes. Collective.
Order share_order(comm::Communicator& world,
                  const std::vector<std::unique_ptr<Callable>>& callables, const Order& mine);

}  // namespace tpinfer::launch
