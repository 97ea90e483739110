// Lines of a file or of stdin, read ahead by a thread of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tpinfer::launch {

struct Line {
  std::string text;          // without its end, "\n" or "\r\n"
  std::size_t too_long = 0;  // bytes of a line beyond the limit; the text is not kept
};

// Reads until the end, and waits while `max_lines` lines, or lines of `max_line_bytes` together,
// are unread: whoever writes into the pipe waits, too, and nothing is lost. Lines of blanks are
// skipped. Used by one thread.
class LineQueue {
 public:
  // `source` is a regular file, a named pipe, which ends when its last writer closes it, or "-" for
  // stdin. Throws Fault::no_input when it cannot be opened.
  LineQueue(const std::string& source, std::size_t max_lines, std::size_t max_line_bytes);
  ~LineQueue();
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  // Whether a line is there, or will never be (the end): false when `patience` has passed.
  bool wait(std::chrono::milliseconds patience);

  // What is there now, at most `most` lines; none at the end. Throws Fault::io when reading failed,
  // after the lines that were read.
  std::vector<Line> take(std::size_t most);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tpinfer::launch
