#include "launch/drain.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "comm/environment.hpp"
#include "comm/together.hpp"

namespace tpinfer::launch {
namespace {

volatile sig_atomic_t asked_by = 0;

void on_signal(int number, siginfo_t*, void*) { asked_by = number; }

bool first_rank = true;
bool has_launcher = false;

// A launcher sends SIGTERM to the other ranks when one has failed, which has said why.
void end_at_once(int number, siginfo_t* info, void*) {
  constexpr char kText[] = "tpinfer: ended by a signal while it started; run it again\n";
  const bool is_told = number == SIGTERM && has_launcher && info->si_pid == getppid();
  if (first_rank && !is_told && write(STDERR_FILENO, kText, sizeof kText - 1) < 0) {
  }
  _exit(static_cast<int>(Fault::temporary));
}

// `resets`: a second SIGTERM or SIGINT does what the system has it do. Schedulers send SIGUSR1 more
// than once.
void handle(void (*handler)(int, siginfo_t*, void*), bool resets) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  for (int number : {SIGTERM, SIGINT, SIGUSR1}) {
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    if (resets && number != SIGUSR1) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    sigaction(number, &action, nullptr);
  }
}

}  // namespace

void end_on_signals() {
  first_rank = comm::environment_rank() == 0;
  has_launcher = comm::environment_size() > 1;
  handle(end_at_once, false);
}

void watch_signals() { handle(on_signal, true); }

int drain_signal() { return asked_by; }

int agreed_stop(comm::Communicator& world, int mine) {
  if (asked_by != 0) mine = asked_by;
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  const std::vector<std::size_t> bytes(all.size(), sizeof mine);
  world.all_gather(&mine, bytes, all.data());
  return *std::max_element(all.begin(), all.end());
}

void stop_if_drained(comm::Communicator& world, std::int64_t rows_done, std::int64_t rows) {
  const int number = agreed_stop(world, 0);
  if (number == 0) return;
  throw comm::AgreedError(Fault::temporary,
                          fmt::format("ended by signal {} after {} of {} rows; no output was "
                                      "written, run it again",
                                      number, rows_done, rows));
}

}  // namespace tpinfer::launch
