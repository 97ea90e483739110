#include "launch/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "comm/last_words.hpp"

namespace tpinfer::launch {
namespace {

void write_all(const std::string& text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

// What descriptor 2 of the process that started us is.
bool launcher_has_terminal() {
  std::array<char, 256> target;
  const std::string path = fmt::format("/proc/{}/fd/2", getppid());
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  const std::string name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return name.starts_with("/dev/pts/") || name.starts_with("/dev/tty");
}

}  // namespace

ProgressStyle progress_style(const std::string& wanted) {
  if (wanted == "none") return ProgressStyle::none;
  if (wanted == "bar") return ProgressStyle::bar;
  if (wanted == "auto" && (isatty(STDERR_FILENO) || launcher_has_terminal())) {
    return ProgressStyle::bar;
  }
  return ProgressStyle::lines;
}

Progress::Progress(ProgressStyle style, std::string phase, std::string unit)
    : style_(style), phase_(std::move(phase)), unit_(std::move(unit)) {}

Progress::~Progress() {
  if (drawn_) write_all("\r\x1b[K");
}

void Progress::show(std::int64_t done, std::int64_t total) {
  using namespace std::chrono_literals;
  const Clock::time_point now = Clock::now();
  if (style_ == ProgressStyle::none || total <= 0 || now - start_ < 500ms) return;
  const std::int64_t percent = done * 100 / total;
  if (style_ == ProgressStyle::lines) {
    if (percent / 10 <= tenth_ || done == total) return;
    tenth_ = percent / 10;
    comm::say(fmt::format("{}: {} of {} {} ({} %)", phase_, done, total, unit_, percent));
    return;
  }
  if (now - last_ < 200ms && done < total) return;
  last_ = now;
  drawn_ = true;
  const auto filled = static_cast<std::size_t>(percent * 30 / 100);
  write_all(fmt::format("\r{} [{}{}] {} % ({} of {} {})\x1b[K", phase_, std::string(filled, '#'),
                        std::string(30 - filled, '.'), percent, done, total, unit_));
}

}  // namespace tpinfer::launch
