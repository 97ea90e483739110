#include "launch/story.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "comm/last_words.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::launch {

void Story::line(const std::string& text) {
  if (listener_) listener_(text);
  if (!speaks_) return;
  held_.push_back(text);
  if (Clock::now() - start_ > std::chrono::seconds(2)) finish();
}

void Story::finish() {
  for (const std::string& text : held_) comm::say(text);
  held_.clear();
}

void print(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return;
    if (written < 0) fail(Fault::io, fmt::format("stdout: {}", std::strerror(errno)));
    done += static_cast<std::size_t>(written);
  }
}

}  // namespace tpinfer::launch
