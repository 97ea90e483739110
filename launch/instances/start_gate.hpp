// Instances of one launcher begin to compute at the same time.
#pragma once

#include <string>

#include "runtime/shared_memory.hpp"

namespace tpinfer::launch {

// The launcher's side: opens when `instances` have come to it.
class StartGate {
 public:
  explicit StartGate(int instances);
  ~StartGate();
  StartGate(const StartGate&) = delete;
  StartGate& operator=(const StartGate&) = delete;

  std::string path() const { return memory_.path(); }
  // Lets everybody pass from now on.
  void open();

 private:
  runtime::SharedMemory memory_;
  void* state_ = nullptr;
};

// An instance's side: waits for the others, beating, when its launcher has a gate; returns at once
// otherwise, and when the launcher has gone. One rank of an instance calls it.
void pass_start_gate();

}  // namespace tpinfer::launch
