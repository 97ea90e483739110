// A sign of life. Whatever may take long (a slab read, a block of columns computed, a megabyte
// hashed) calls beat(); the watchdog (comm) ends the run when the count stands still.
#pragma once

#include <atomic>
#include <cstdint>

namespace tpinfer {

std::atomic<std::uint64_t>& heartbeat_count();

inline void beat() { heartbeat_count().fetch_add(1, std::memory_order_relaxed); }

}  // namespace tpinfer
