#include "launch/drain.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <vector>

#include "comm/together.hpp"

namespace tpinfer::launch {
namespace {

volatile sig_atomic_t asked_by = 0;

void on_signal(int number) { asked_by = number; }

}  // namespace

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (int number : {SIGTERM, SIGINT, SIGUSR1}) sigaction(number, &action, nullptr);
}

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
