#include "launch/requests/answer_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::launch {
namespace {

constexpr int kBeatMilliseconds = 100;

bool is_pipe(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

AnswerFile::AnswerFile(const std::string& path, bool resumes)
    : path_(path), descriptor_(STDOUT_FILENO) {
  if (path.empty()) return;
  const auto refuse = [&](const std::string& why) {
    fail(Fault::cannot_create, fmt::format("--output {}: {}", path, why));
  };
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    refuse("it is no regular file");
  }
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) refuse(std::strerror(errno));
  const bool locked = !resumes || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 ||
                      (errno != EWOULDBLOCK && errno != EINTR);  // a file system without locks
  if (!locked || (!resumes && ::ftruncate(descriptor_, 0) != 0)) {
    const std::string why =
        locked ? std::strerror(errno) : "another run is answering into it; let it end";
    ::close(descriptor_);
    refuse(why);
  }
}

AnswerFile::~AnswerFile() {
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

void AnswerFile::write(const std::string& line) {
  const std::string text = line + '\n';
  write_all(text.data(), text.size());
}

void AnswerFile::write_all(const char* data, std::size_t bytes) {
  const bool pipe = is_pipe(descriptor_);
  while (bytes > 0) {
    std::size_t step = std::min<std::size_t>(bytes, std::size_t{1} << 22);
    beat();
    if (pipe) {
      // So much never blocks where there is room at all.
      step = std::min<std::size_t>(bytes, PIPE_BUF);
      pollfd what{descriptor_, POLLOUT, 0};
      const int ready = ::poll(&what, 1, kBeatMilliseconds);
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    }
    const ssize_t written = ::write(descriptor_, data, step);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) {
      const std::string where = path_.empty() ? "stdout" : "--output " + path_;
      fail(Fault::io, errno == EPIPE ? "nobody reads the answers on stdout any more"
                                     : fmt::format("{}: {}", where, std::strerror(errno)));
    }
    data += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

std::size_t AnswerFile::bytes() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_io();
  return static_cast<std::size_t>(status.st_size);
}

void AnswerFile::cut(std::size_t bytes) {
  const auto at = static_cast<off_t>(bytes);
  if (::ftruncate(descriptor_, at) != 0 || ::lseek(descriptor_, at, SEEK_SET) != at) fail_io();
}

void AnswerFile::sync() {
  if (descriptor_ != STDOUT_FILENO && ::fsync(descriptor_) != 0) fail_io();
}

void AnswerFile::fail_io() const {
  fail(Fault::io, fmt::format("--output {}: {}", path_, std::strerror(errno)));
}

}  // namespace tpinfer::launch
