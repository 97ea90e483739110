// What this rank is doing, for the watchdog and for messages. One process, one activity: the main
// thread writes, any thread reads.
#pragma once

#include <string>
#include <string_view>

namespace tpinfer::comm {

// The phase of the run ("load weights"), at most 63 bytes of it; "start" until one is set. Beats.
void set_phase(std::string_view phase);
std::string current_phase();

// While it lives, the main thread waits for other ranks: standing still is not its fault.
// Scopes nest. Beats at both ends.
class Waiting {
 public:
  // `what` must live for ever (a literal): "all-gather".
  explicit Waiting(const char* what);
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  const char* outer_;
};

// What the innermost Waiting was given, nullptr when the main thread does not wait.
const char* waiting_for();

}  // namespace tpinfer::comm
