// Ends the run with exit code 75 when a rank hangs, is stopped or is cut off: nothing else does.
#pragma once

#include <memory>

#include "comm/mpi/session.hpp"

namespace tpinfer::comm {

// A thread of its own looks at the heartbeat (kernels/base/heartbeat.hpp) several times per limit;
// see judge.hpp for what counts as hung. A slow rank that beats is never hung, and the ranks that
// wait for it inside a collective are not either. Make it before the Session, so that it guards
// MPI_Init and MPI_Finalize too:
//   Watchdog watchdog(60);  Session session;  watchdog.connect(session);
// Who fires:
//   before connect() and after leave()  each rank for itself, by _exit: when its main thread stands
//                          still for the limit, or 3 to 6 s later when it waits in MPI_Init or
//                          MPI_Finalize (the rank that is to blame comes first, then rank 0)
//   in between             rank 0 for all, by MPI_Abort, from the reports of all ranks; the others
//                          only when rank 0 itself is silent for the limit
//   without MPI_THREAD_MULTIPLE  each rank for itself, by _exit; a rank that waits in a collective
//                          only after ten times the limit, for it cannot know who is slow
// Time in which this process gets no processor (SIGSTOP, suspend) does not count against others.
// Before connect() and after leave() seconds are longer by as much as processes that want a
// processor outnumber the processors (up to 20 times): starting takes that much longer.
class Watchdog {
 public:
  // In seconds; 0 turns it off.
  explicit Watchdog(double limit_seconds);
  // Disarms. Comes after the Session's end.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Collective. Arranges that leave() is called when the session ends.
  void connect(Session& session);

  // Collective: returns when all ranks have come, and the watchdogs no longer talk. Idempotent.
  void leave();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which may outlive us for a moment
};

}  // namespace tpinfer::comm
