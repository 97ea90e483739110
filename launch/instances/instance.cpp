#include "launch/instances/instance.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::chrono::milliseconds kFirstPause{250}, kLongestPause{8000};

// Errors that the next start would meet again: a wrong option, model or launcher.
bool curable(int code) {
  for (Fault fault : {Fault::usage, Fault::data, Fault::no_input, Fault::config}) {
    if (code == static_cast<int>(fault)) return false;
  }
  return code != 0;
}

bool readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace

Instance::Instance(int number, ChildSpec spec, int restarts, const LineSinks& sinks)
    : number_(number),
      spec_(std::move(spec)),
      restarts_left_(restarts),
      out_([out = sinks.out, number](std::string line) { out(number, std::move(line)); }),
      err_([err = sinks.err, number](std::string line) { err(number, std::move(line)); }) {}

void Instance::start() {
  unsent_.clear();
  sent_ = 0;
  child_ = start_child(spec_);
  state_ = State::running;
  started_ = Clock::now();
  ++starts_;
}

void Instance::read_stream(Descriptor& stream, LineReader& lines) {
  std::array<char, 65536> bytes;
  const ssize_t count = read(stream.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) return stream.reset();
  lines.feed({bytes.data(), static_cast<std::size_t>(count)});
}

void Instance::read_output() { read_stream(child_.out, out_); }
void Instance::read_errors() { read_stream(child_.err, err_); }

void Instance::send_now() {
  if (!child_.in.open()) return;
  while (sent_ < unsent_.size()) {
    const ssize_t written = write(child_.in.get(), unsent_.data() + sent_, unsent_.size() - sent_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) return child_.in.reset();  // it reads no more; waitpid() will say why
    sent_ += static_cast<std::size_t>(written);
  }
  unsent_.clear();
  sent_ = 0;
  if (ending_input_) child_.in.reset();
}

void Instance::end(int status) {
  ended_ = Clock::now();
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  // Whoever still holds the other end, only what is there now counts.
  while (child_.out.open() && readable(child_.out.get())) read_output();
  while (child_.err.open() && readable(child_.err.get())) read_errors();
  // Half an answer is none; half a line of a log may be its best one.
  if (spec_.has_input && code_ != 0) {
    out_.drop();
  } else {
    out_.finish();
  }
  err_.finish();
  child_ = {};
  state_ = State::ended;
}

void Instance::start_again_if_failed(bool work_left) {
  if (!work_left || !curable(code_) || restarts_left_ == 0) return;
  --restarts_left_;
  state_ = State::waiting;
  start_at_ = ended_ + std::min(kLongestPause, kFirstPause * (1 << std::min(starts_ - 1, 10)));
}

void Instance::cancel() {
  if (state_ == State::waiting) state_ = State::ended;
}

void Instance::signal(int number) const {
  if (state_ == State::running) kill(child_.pid, number);
}

void Instance::signal_group(int number) const {
  if (state_ == State::running) kill(-child_.pid, number);
}

double Instance::seconds() const {
  const Clock::time_point end = state_ == State::running ? Clock::now() : ended_;
  return std::chrono::duration<double>(end - started_).count();
}

}  // namespace tpinfer::launch
