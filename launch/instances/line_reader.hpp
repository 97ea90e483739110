// Lines out of a stream that arrives in pieces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tpinfer::launch {

class LineReader {
 public:
  // `sink` gets each line without its end ("\n").
  explicit LineReader(std::function<void(std::string)> sink) : sink_(std::move(sink)) {}

  void feed(std::string_view bytes) {
    for (std::size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
      held_ += bytes.substr(0, end);
      bytes.remove_prefix(end + 1);
      sink_(std::exchange(held_, {}));
    }
    held_ += bytes;
  }

  // The stream has ended: what came after the last line end is a line too. Returns whether there
  // was something.
  bool finish() {
    if (held_.empty()) return false;
    sink_(std::exchange(held_, {}));
    return true;
  }
  // Forgets a line that will never be whole.
  void drop() { held_.clear(); }

 private:
  std::function<void(std::string)> sink_;
  std::string held_;
};

}  // namespace tpinfer::launch
