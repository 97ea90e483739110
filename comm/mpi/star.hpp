// Signs of life between the watchdogs of all ranks: everyone reports to rank 0, which answers.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "comm/judge.hpp"

namespace tpinfer::comm {

// Used by one thread of each rank. Never blocks, and polls instead of waiting: a thread that waits
// inside MPI would have to make progress for the main thread as well. Errors of MPI are not
// reported: what does not arrive is silence, and silence is judged.
class Star {
 public:
  // A communicator of its own, by its Fortran handle. `now` in seconds of any steady clock.
  Star(int fortran_handle, double interval_seconds, double now);
  ~Star();
  Star(const Star&) = delete;
  Star& operator=(const Star&) = delete;

  bool is_centre() const;

  // Sends what is due and takes what has come. Call often.
  void exchange(const Report& mine, double now);

  // Rank 0: what is known of every rank.
  std::span<const Sign> signs() const;
  // Other ranks: since rank 0 last answered.
  double centre_silent_seconds(double now) const;

  // The orderly end, once every rank has come to it: the next report is the last one, and when
  // closed() this rank has no message under way. Go on calling exchange() until then.
  void close();
  bool closed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tpinfer::comm
