#include "launch/requests/protocol.hpp"

#include <algorithm>

#include "comm/fault.hpp"
#include "comm/texts.hpp"

namespace tpinfer::launch {

// On the wire: the callable (or -1), the fault, and the extents of its symbols in their order; as
// long as the callable with the most symbols needs.
Order share_order(comm::Communicator& world,
                  const std::vector<std::unique_ptr<Callable>>& callables, const Order& mine) {
  std::size_t most = 0;
  for (const auto& callable : callables) most = std::max(most, callable->symbols().size());
  std::vector<std::int64_t> words(2 + most);
  if (world.rank() == 0) {
    words[0] = mine.callable;
    words[1] = mine.fault;
    std::size_t at = 2;
    for (const auto& [symbol, extent] : mine.symbols) words[at++] = extent;
  }
  world.await_broadcast(words.data(), words.size() * sizeof words[0], 0);
  comm::fault_site("request");
  Order order;
  order.callable = static_cast<int>(words[0]);
  order.fault = static_cast<int>(words[1]);
  if (order.callable < 0) {
    if (order.fault != 0) order.text = comm::broadcast_text(world, mine.text, 0);
    return order;
  }
  std::size_t at = 2;
  for (const std::string& symbol : callables[static_cast<std::size_t>(order.callable)]->symbols()) {
    order.symbols[symbol] = words[at++];
  }
  return order;
}

}  // namespace tpinfer::launch
