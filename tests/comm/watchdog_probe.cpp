// A small run for watchdog_check.py, which injects faults (TPINFER_FAULT, signals) into it:
//   watchdog_probe LIMIT_SECONDS STEPS [mismatch | differ | throw RANK]
// Writes "done" to stdout from rank 0 when it comes to its end. Sites: "init", "load", "step",
// "collective", "leave", "finalize". PROBE_SLOW_RANK loads for ten limits, but beats.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "comm/activity.hpp"
#include "comm/environment.hpp"
#include "comm/fault.hpp"
#include "comm/last_words.hpp"
#include "comm/mpi/abort.hpp"
#include "comm/mpi/watchdog.hpp"
#include "comm/together.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

struct Arguments {
  double limit = 0;
  int steps = 0;
  std::string extra;
  int rank = -1;
};

void load_slowly(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    beat();
  }
}

void run_steps(Communicator& world, const Arguments& arguments) {
  set_phase("run");
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::vector<std::size_t> sizes(ranks, 1000);
  const std::vector<char> mine(1000, 'x');
  std::vector<char> all(1000 * ranks);
  for (int step = 0; step < arguments.steps; ++step) {
    fault_site("step");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (arguments.extra == "differ" && step == 1 && world.rank() == world.size() - 1) {
      world.broadcast(all.data(), 1000, 0);
    }
    world.all_gather(mine.data(), sizes, all.data());
    if (arguments.extra == "throw" && arguments.rank == world.rank()) {
      throw std::runtime_error("broke in the forward pass");
    }
  }
  if (arguments.extra == "mismatch" && world.rank() == world.size() - 1) world.barrier();
}

int run(const Arguments& arguments) {
  Watchdog watchdog(arguments.limit);
  Session session;
  watchdog.connect(session);
  add_cleanup([] { say("cleaned"); });
  try {
    together(session.world(), "load", [&] {
      const char* slow = std::getenv("PROBE_SLOW_RANK");
      if (slow != nullptr && std::atoi(slow) == session.world().rank()) {
        load_slowly(10 * arguments.limit);
      }
    });
    run_steps(session.world(), arguments);
    if (session.world().rank() == 0) std::puts("done");
    fault_site("leave");
    return 0;
  } catch (const AgreedError& error) {
    if (session.world().rank() == 0) say(error.what());
    return static_cast<int>(error.fault());
  } catch (const std::exception& error) {
    abort_run(Fault::internal, error.what());
  }
}

}  // namespace
}  // namespace tpinfer::comm

int main(int argc, char** argv) {
  tpinfer::comm::Arguments arguments;
  if (argc < 3) return 64;
  arguments.limit = std::atof(argv[1]);
  arguments.steps = std::atoi(argv[2]);
  if (argc > 3) arguments.extra = argv[3];
  if (argc > 4) arguments.rank = std::atoi(argv[4]);
  try {
    return tpinfer::comm::run(arguments);
  } catch (const tpinfer::Error& error) {
    if (tpinfer::comm::environment_rank() == 0) tpinfer::comm::say(error.what());
    return static_cast<int>(error.fault());
  }
}
