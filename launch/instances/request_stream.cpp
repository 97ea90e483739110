#include "launch/instances/request_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

bool blank(const std::string& line) { return line.find_first_not_of(" \t\r") == line.npos; }

bool same_file(int a, int b) {
  struct stat first {
  }, second{};
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && S_ISREG(first.st_mode) &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

RequestStream::RequestStream(const std::string& requests, const std::string& output,
                             std::function<void(std::string)> add)
    : input_(STDIN_FILENO),
      output_(STDOUT_FILENO),
      name_(requests == "-" ? "stdin" : requests),
      lines_([add = std::move(add)](std::string line) {
        if (!blank(line)) add(std::move(line));
      }) {
  if (requests != "-") {
    file_ = Descriptor(open(requests.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_.open()) {
      fail(Fault::no_input, fmt::format("--requests {}: {}", requests, std::strerror(errno)));
    }
    input_ = file_.get();
  }
  if (output.empty()) return;
  answers_ = Descriptor(open(output.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!answers_.open()) {
    fail(Fault::cannot_create, fmt::format("--output {}: {}", output, std::strerror(errno)));
  }
  output_ = answers_.get();
  if (same_file(input_, output_)) {
    fail(Fault::usage, fmt::format("--output {}: these are the requests", output));
  }
  if (ftruncate(output_, 0) != 0 && errno != EINVAL) {  // a pipe has no length
    fail(Fault::cannot_create, fmt::format("--output {}: {}", output, std::strerror(errno)));
  }
}

void RequestStream::read_some() {
  std::vector<char> bytes(1 << 16);
  const ssize_t count = read(input_, bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count < 0) fail(Fault::io, fmt::format("--requests {}: {}", name_, std::strerror(errno)));
  lines_.feed({bytes.data(), static_cast<std::size_t>(count)});
  if (count > 0) return;
  lines_.finish();
  ended_ = complete_ = true;
}

void RequestStream::write_answer(const std::string& line) {
  if (output_ < 0 || write_all(output_, line + "\n")) return;
  if (errno != EPIPE) fail(Fault::io, fmt::format("answers: {}", std::strerror(errno)));
  output_ = -1;
  ended_ = complete_ = true;
}

}  // namespace tpinfer::launch
