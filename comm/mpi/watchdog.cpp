#include "comm/mpi/watchdog.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/activity.hpp"
#include "comm/environment.hpp"
#include "comm/judge.hpp"
#include "comm/last_words.hpp"
#include "comm/mpi/abort.hpp"
#include "comm/mpi/check.hpp"
#include "comm/mpi/star.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

// Seconds that run only while this thread does: one look adds at most four ticks, so that after a
// SIGSTOP or a suspended machine the others first get the time to be heard.
class TickClock {
 public:
  explicit TickClock(double tick_seconds) : tick_(tick_seconds) {}
  double now() const { return seconds_; }
  // `slowness`: how much longer than alone the machine takes.
  void advance(double slowness) {
    const auto time = Steady::now();
    const std::chrono::duration<double> passed = time - last_;
    seconds_ += std::min(passed.count(), 4 * tick_) / slowness;
    last_ = time;
  }

 private:
  using Steady = std::chrono::steady_clock;
  double tick_;
  double seconds_ = 0;
  Steady::time_point last_ = Steady::now();
};

constexpr double kMostCrowded = 20;

enum class Mode {
  alone,      // before connect and after leave
  star,       // reports to rank 0
  unthreaded  // MPI is up, but this thread may not call it
};

}  // namespace

struct Watchdog::State {
  const double limit;
  const double tick;
  const std::string host = host_name();

  std::mutex mutex;  // guards what follows
  int rank = environment_rank();
  std::condition_variable changed;
  Mode mode = Mode::alone;
  bool stop = false;
  bool closing = false;
  std::unique_ptr<Star> star;
  std::vector<std::string> hosts;
  int star_handle = 0;

  // The thread's own.
  TickClock clock;
  std::uint64_t count = 0;
  double moved_at = 0;

  explicit State(double limit_seconds)
      : limit(limit_seconds), tick(std::clamp(limit_seconds / 30, 0.01, 0.1)), clock(tick) {}

  void watch() {
    std::unique_lock lock(mutex);
    while (!stop) {
      // The end should not be felt.
      changed.wait_for(lock, std::chrono::duration<double>(closing ? 0.001 : tick));
      if (stop) return;
      // Alone, nobody says that the others are only waiting for a processor.
      clock.advance(mode == Mode::alone ? std::min(crowding(), kMostCrowded) : 1);
      const std::uint64_t latest = heartbeat_count().load(std::memory_order_relaxed);
      if (latest != count) moved_at = clock.now();
      count = latest;
      const double still = clock.now() - moved_at;
      if (mode == Mode::star) {
        watch_all(still);
      } else {
        watch_self(still);
      }
    }
  }

  void watch_self(double still) const {
    const char* waiting = waiting_for();
    // A rank that waits lets the one to blame speak first, and the lowest of those that wait next:
    // the launcher ends the others one to two seconds after the first exit.
    double patience = waiting ? limit + 3 + 1.5 * std::min(rank, 2) : limit;
    if (waiting && mode == Mode::unthreaded) patience = 10 * limit;
    if (still < patience) return;
    const std::string what =
        waiting ? fmt::format("has waited in {} for", waiting) : std::string("has not moved for");
    say(fmt::format("rank {} on {} {} {:.3g} s ({}); run again or raise --timeout", rank, host,
                    what, waiting ? still : limit, current_phase()));
    run_cleanups();
    _exit(static_cast<int>(Fault::temporary));
  }

  void watch_all(double still) {
    star->exchange(own_report(still), clock.now());
    if (closing) {
      if (star->closed()) {
        mode = Mode::alone;
        closing = false;
        changed.notify_all();
      } else {
        watch_self(still);
      }
      return;
    }
    if (star->is_centre()) {
      if (const auto verdict = judge(star->signs(), hosts, limit)) {
        abort_run(Fault::temporary, *verdict);
      }
      return;
    }
    // Rank 1 speaks for those who are left, the others only if it cannot.
    const double patience = limit + 0.3 + (rank == 1 ? 0 : 1);
    if (star->centre_silent_seconds(clock.now()) >= patience) {
      abort_run(Fault::temporary,
                fmt::format("rank 0 on {} is stopped or cut off: no sign of life for {:g} s ({}); "
                            "run again or raise --timeout",
                            hosts[0], limit, current_phase()));
    }
  }

  void leave() {
    const Waiting waiting("the end of the run");
    if (star) {
      // Nobody falls silent before all have come: until then rank 0 judges.
      MPI_Comm comm = MPI_Comm_f2c(star_handle);
      check_mpi(MPI_Barrier(comm), "MPI_Barrier");
      std::unique_lock lock(mutex);
      star->close();
      closing = true;
      changed.notify_all();
      changed.wait(lock, [this] { return mode == Mode::alone; });
      star.reset();
      check_mpi(MPI_Comm_free(&comm), "MPI_Comm_free");
    }
    const std::lock_guard lock(mutex);
    mode = Mode::alone;
  }
};

Watchdog::Watchdog(double limit_seconds) {
  if (limit_seconds <= 0) return;
  state_ = std::make_shared<State>(limit_seconds);
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([state = state_] { state->watch(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
}

void Watchdog::connect(Session& session) {
  if (!state_) return;
  const Waiting waiting("the start of the watchdog");
  Communicator& world = session.world();
  MPI_Comm comm = MPI_COMM_NULL;
  const bool star = session.threads_may_call();
  if (star) check_mpi(MPI_Comm_dup(MPI_Comm_f2c(session.fortran_world()), &comm), "MPI_Comm_dup");

  const std::lock_guard lock(state_->mutex);
  state_->rank = world.rank();
  if (star) {
    const double interval = std::clamp(state_->limit / 10, 0.05, 1.0);
    state_->star_handle = MPI_Comm_c2f(comm);
    state_->star = std::make_unique<Star>(state_->star_handle, interval, state_->clock.now());
    state_->hosts = session.hosts();
    state_->mode = Mode::star;
  } else if (world.size() > 1) {
    state_->mode = Mode::unthreaded;
  }
  session.at_end([state = state_] { state->leave(); });
}

void Watchdog::leave() {
  if (state_) state_->leave();
}

}  // namespace tpinfer::comm
