// The log of a run: a handful of lines on rank 0's stderr.
#pragma once

#include <string>

namespace tpinfer::launch {

class Story {
 public:
  explicit Story(bool speaks) : speaks_(speaks) {}
  void line(const std::string& text) const;

 private:
  bool speaks_;
};

// Writes all of `text` to stdout at once. Throws Fault::io when stdout cannot take it; a reader
// that has gone (| head -1) is no error.
void print(const std::string& text);

}  // namespace tpinfer::launch
