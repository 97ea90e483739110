// How far a long phase is: a bar on a terminal, a line per tenth in a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tpinfer::launch {

enum class ProgressStyle : std::uint8_t { none, lines, bar };

// `wanted` is auto, bar, lines or none. auto: a bar when our own or the local launcher's stderr is
// a terminal (an MPI launcher gives ranks no terminal), else lines.
ProgressStyle progress_style(const std::string& wanted);

// Writes to stderr, at most five times a second, and nothing at all for a phase that is over
// within the first half second. One rank only.
class Progress {
 public:
  Progress(ProgressStyle style, std::string phase, std::string unit);
  ~Progress();  // wipes a bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::int64_t done, std::int64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  ProgressStyle style_;
  std::string phase_, unit_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
  std::int64_t tenth_ = 0;
  bool drawn_ = false;
};

}  // namespace tpinfer::launch
