// When a job is to end by itself (--stop-after), before its batch system ends it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace tpinfer::launch {

// "90s", "25m", "3h30m", "1d", "HH:MM:SS", "MM:SS", "D-HH:MM:SS" in seconds. Throws Fault::usage
// for anything else, a bare number included: is it seconds or, as in Slurm, minutes?
double parse_duration(const std::string& option, const std::string& text);

// Throws Fault::usage unless `text` is a value of --stop-after: a duration, "auto" or
// "auto-DURATION"; without looking at the environment.
void check_stop_after(const std::string& text);

// Decides on one rank, between batches. Local.
class StopTime {
 public:
  // `stop_after` is "" (never), a duration since this process started, or "auto": the end of the
  // Slurm job (SLURM_JOB_END_TIME, seconds since 1970) less 30 s, or less DURATION for
  // "auto-DURATION". Throws Fault::config when that variable is not set.
  explicit StopTime(const std::string& stop_after);

  // A batch begins now; learns what the one before took.
  void begin_batch();
  // Whether a batch as slow as the slowest so far, and `save_seconds` more, would end too late.
  bool too_late(double save_seconds) const;

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> end_, began_;
  double slowest_seconds_ = 0;
};

}  // namespace tpinfer::launch
