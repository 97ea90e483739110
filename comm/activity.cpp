#include "comm/activity.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

constexpr std::size_t kPhaseBytes = 63;

// Nothing here has a destructor that does work: the watchdog's thread may outlive main().
std::mutex phase_mutex;
char phase_text[kPhaseBytes + 1] = "start";
std::atomic<const char*> waiting{nullptr};

}  // namespace

void set_phase(std::string_view phase) {
  beat();
  const std::lock_guard lock(phase_mutex);
  const std::size_t bytes = std::min(phase.size(), kPhaseBytes);
  phase.copy(phase_text, bytes);
  phase_text[bytes] = '\0';
}

std::string current_phase() {
  const std::lock_guard lock(phase_mutex);
  return phase_text;
}

Waiting::Waiting(const char* what) : outer_(waiting.load(std::memory_order_relaxed)) {
  beat();
  waiting.store(what, std::memory_order_release);
}

// The beat comes first: whoever sees that nobody waits any more must also see a fresh count.
Waiting::~Waiting() {
  beat();
  waiting.store(outer_, std::memory_order_release);
}

const char* waiting_for() { return waiting.load(std::memory_order_acquire); }

}  // namespace tpinfer::comm
