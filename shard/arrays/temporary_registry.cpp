#include "shard/arrays/temporary_registry.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>

#include "shard/arrays/output_file.hpp"

namespace tpinfer::shard {
namespace {

enum State : int { kFree, kFilling, kUsed };

struct Place {
  std::atomic<int> state{kFree};
  std::array<char, PATH_MAX> path{};
};

// Fixed memory: a handler of signals must not allocate.
std::array<Place, 8> places;
static_assert(std::atomic<int>::is_always_lock_free, "read in handlers of signals");

}  // namespace

int register_temporary(const std::string& path) {
  if (path.size() >= PATH_MAX) return -1;
  for (std::size_t i = 0; i < places.size(); ++i) {
    int expected = kFree;
    if (!places[i].state.compare_exchange_strong(expected, kFilling)) continue;
    path.copy(places[i].path.data(), path.size());
    places[i].path[path.size()] = '\0';
    places[i].state = kUsed;
    return static_cast<int>(i);
  }
  return -1;
}

void forget_temporary(int place) {
  if (place >= 0) places[static_cast<std::size_t>(place)].state = kFree;
}

void remove_temporaries() {
  for (Place& place : places) {
    if (place.state == kUsed) ::unlink(place.path.data());
  }
}

}  // namespace tpinfer::shard
