#include "launch/instances/start_gate.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <thread>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "launch/instances/variables.hpp"

namespace tpinfer::launch {
namespace {

struct State {
  std::atomic<int> missing;  // instances that have not come yet; <= 0: open
};
static_assert(std::atomic<int>::is_always_lock_free, "it is shared between processes");

State* map_state(const runtime::SharedMemory& memory) {
  void* state =
      mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, memory.descriptor(), 0);
  if (state == MAP_FAILED) fail(Fault::memory, "no shared memory for --start-together");
  return static_cast<State*>(state);
}

}  // namespace

StartGate::StartGate(int instances) : memory_(runtime::SharedMemory::make()) {
  if (ftruncate(memory_.descriptor(), sizeof(State)) != 0) {
    fail(Fault::memory, "no shared memory for --start-together");
  }
  state_ = map_state(memory_);
  new (state_) State{instances};
}

StartGate::~StartGate() { munmap(state_, sizeof(State)); }

void StartGate::open() { static_cast<State*>(state_)->missing = 0; }

void pass_start_gate() {
  const char* path = std::getenv(kGateVariable);
  if (path == nullptr) return;
  const runtime::SharedMemory memory = runtime::SharedMemory::open(path);
  State* state = map_state(memory);
  std::error_code error;
  --state->missing;
  while (state->missing > 0 && std::filesystem::exists(path, error)) {
    beat();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  munmap(state, sizeof(State));
}

}  // namespace tpinfer::launch
