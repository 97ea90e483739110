#include "launch/requests/line_queue.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 16;
constexpr int kLookMilliseconds = 50;  // how often the thread looks whether it is to stop

int open_source(const std::string& source) {
  if (source == "-") return STDIN_FILENO;
  const auto refuse = [&](const std::string& why) {
    fail(Fault::no_input, fmt::format("--requests {}: {}", source, why));
  };
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) refuse(std::strerror(errno));
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
    refuse("it is no regular file and no named pipe; - reads from stdin");
  }
  // A named pipe opens at once, also when nobody writes into it yet: wait_for_input waits.
  const int descriptor = ::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) refuse(std::strerror(errno));
  return descriptor;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == text.npos; }

}  // namespace

struct LineQueue::State {
  int descriptor;
  std::size_t max_lines, max_bytes;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Line> lines;
  std::size_t bytes = 0;  // of these
  bool ended = false, stop = false;
  int error = 0;  // errno of a read that failed

  // The thread's own: the line that has begun.
  std::string part;
  std::size_t part_bytes = 0;  // more than part.size() when it is too long to keep

  void read_all() {
    std::string buffer(kReadBytes, '\0');
    while (wait_for_input()) {
      const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) {
        if (part_bytes > 0) end_line();
        return end(got < 0 ? errno : 0);
      }
      if (!split(std::string_view(buffer.data(), static_cast<std::size_t>(got)))) return;
    }
  }

  // False: to stop.
  bool wait_for_input() {
    for (;;) {
      pollfd what{descriptor, POLLIN, 0};
      const int ready = ::poll(&what, 1, kLookMilliseconds);
      const std::lock_guard lock(mutex);
      if (stop) return false;
      if (ready > 0) return true;
    }
  }

  bool split(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      add(text.substr(0, end));
      if (end == text.npos) return true;
      if (!end_line()) return false;
      text.remove_prefix(end + 1);
    }
    return true;
  }

  void add(std::string_view text) {
    part_bytes += text.size();
    if (part_bytes > max_bytes + 1) {  // the carriage return of an end of line does not count
      part = {};
    } else {
      part.append(text);
    }
  }

  // False: to stop.
  bool end_line() {
    Line line{std::move(part), part_bytes};
    part.clear();
    part_bytes = 0;
    if (line.text.ends_with('\r')) line.text.pop_back(), --line.too_long;
    if (line.too_long > max_bytes) {
      line.text = {};
    } else {
      line.too_long = 0;
      if (is_blank(line.text)) return true;
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] {
      return stop || lines.empty() || (lines.size() < max_lines && bytes < max_bytes);
    });
    if (stop) return false;
    bytes += line.text.size();
    lines.push_back(std::move(line));
    changed.notify_all();
    return true;
  }

  void end(int why) {
    const std::lock_guard lock(mutex);
    ended = true;
    error = why;
    changed.notify_all();
  }

  std::thread reader = {};
};

LineQueue::LineQueue(const std::string& source, std::size_t max_lines, std::size_t max_line_bytes)
    : state_(std::make_unique<State>()) {
  state_->descriptor = open_source(source);
  state_->max_lines = max_lines;
  state_->max_bytes = max_line_bytes;
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->reader = std::thread([state = state_.get()] {
    try {
      state->read_all();
    } catch (const std::exception&) {  // out of memory
      state->end(ENOMEM);
    }
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineQueue::~LineQueue() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->changed.notify_all();
  }
  state_->reader.join();
  if (state_->descriptor != STDIN_FILENO) ::close(state_->descriptor);
}

bool LineQueue::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, patience,
                                  [&] { return !state_->lines.empty() || state_->ended; });
}

std::vector<Line> LineQueue::take(std::size_t most) {
  const std::lock_guard lock(state_->mutex);
  std::vector<Line> taken;
  while (!state_->lines.empty() && taken.size() < most) {
    state_->bytes -= state_->lines.front().text.size();
    taken.push_back(std::move(state_->lines.front()));
    state_->lines.pop_front();
  }
  if (taken.empty() && state_->error != 0) {
    fail(Fault::io, fmt::format("--requests: reading failed: {}", std::strerror(state_->error)));
  }
  state_->changed.notify_all();
  return taken;
}

}  // namespace tpinfer::launch
