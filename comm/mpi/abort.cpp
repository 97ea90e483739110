#include "comm/mpi/abort.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <new>
#include <thread>

#include "comm/activity.hpp"
#include "comm/environment.hpp"
#include "comm/last_words.hpp"

namespace tpinfer::comm {
namespace {

std::atomic<int> exit_code{0};

void exit_now(int) { _exit(exit_code.load()); }

// MPI_Abort itself may hang behind a lock of the main thread's: the alarm ends that too.
void exit_after(unsigned seconds) {
  struct sigaction action = {};
  action.sa_handler = exit_now;
  sigaction(SIGALRM, &action, nullptr);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  alarm(seconds);
}

[[noreturn]] void end_by(Fault fault, const char* what) noexcept {
  try {
    abort_run(fault, fmt::format("rank {} on {}: {}: {}", environment_rank(), host_name(),
                                 current_phase(), what));
  } catch (...) {  // no memory for the line
    abort_run(fault, what);
  }
}

[[noreturn]] void on_terminate() {
  try {
    if (std::current_exception()) throw;
    end_by(Fault::internal, "the program ended itself");
  } catch (const Error& error) {
    end_by(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    end_by(Fault::memory, "out of memory");
  } catch (const std::exception& error) {
    end_by(Fault::internal, error.what());
  } catch (...) {
    end_by(Fault::internal, "an exception of unknown type");
  }
}

}  // namespace

void abort_on_terminate() noexcept { std::set_terminate(on_terminate); }

void abort_run(Fault fault, std::string_view text) noexcept {
  // 0 and multiples of 256 would look like success through MPI_Abort.
  int code = static_cast<int>(fault);
  if (code < 1 || code > 125) code = static_cast<int>(Fault::internal);
  exit_code = code;
  exit_after(5);
  if (!text.empty()) say(text);
  run_cleanups();

  int up = 0, down = 0;
  MPI_Initialized(&up);
  MPI_Finalized(&down);
  if (up && !down) {
    // MPICH's launcher drops what is still on its way to stderr when it hears of an abort.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    MPI_Abort(MPI_COMM_WORLD, code);
  }
  _exit(code);
}

}  // namespace tpinfer::comm
