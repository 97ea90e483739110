// The log of a run: a handful of lines on rank 0's stderr.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tpinfer::launch {

// Lines are held back during the first two seconds, so that a run that fails at once says one
// thing: why. A longer run tells its story as it goes.
class Story {
 public:
  explicit Story(bool speaks) : speaks_(speaks) {}
  // To `listener` instead, line by line and without delay; to nobody when it is empty.
  explicit Story(std::function<void(const std::string&)> listener)
      : speaks_(false), listener_(std::move(listener)) {}

  void line(const std::string& text);
  // The run went well: whatever is still held back.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  bool speaks_;
  std::function<void(const std::string&)> listener_;
  Clock::time_point start_ = Clock::now();
  std::vector<std::string> held_;
};

// Writes all of `text` to stdout at once. Throws Fault::io when stdout cannot take it; a reader
// that has gone (| head -1) is no error.
void print(const std::string& text);

}  // namespace tpinfer::launch
