#include "launch/requests/request_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

// Counts lines as LineQueue does: those of blanks are none, too long ones are.
class LineCount {
 public:
  explicit LineCount(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view part = text.substr(0, end);
      bytes_ += part.size();
      blank_ = blank_ && part.find_first_not_of(" \t\r") == part.npos;
      if (!part.empty()) last_ = part.back();
      if (end == text.npos) return;
      end_line();
      text.remove_prefix(end + 1);
    }
  }

  std::int64_t at_end() {
    end_line();
    return lines_;
  }

 private:
  void end_line() {
    const std::size_t allowed = max_bytes_ + (last_ == '\r' ? 1 : 0);
    if (!blank_ || bytes_ > allowed) ++lines_;
    bytes_ = 0;
    blank_ = true;
    last_ = '\0';
  }

  std::size_t max_bytes_;
  std::int64_t lines_ = 0;
  std::size_t bytes_ = 0;  // of the line that has begun
  bool blank_ = true;
  char last_ = '\0';
};

}  // namespace

RequestFile read_request_file(const std::string& path, std::size_t max_line_bytes) {
  if (std::filesystem::is_fifo(path)) {
    fail(Fault::usage,
         fmt::format("--requests {}: a named pipe cannot be read again; name a file", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string piece(kReadBytes, '\0');
  RequestFile found;
  Sha256 hash;
  LineCount lines(max_line_bytes);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    hash.update(piece.data(), got);
    lines.add({piece.data(), got});
    found.bytes += got;
  }
  if (!file.eof()) {
    fail(Fault::no_input, fmt::format("--requests {}: {}", path, std::strerror(errno)));
  }
  found.requests = lines.at_end();
  found.sha256 = hash.hex();
  return found;
}

std::string to_text(const RequestFile& file) {
  return fmt::format("{}, {} bytes, sha256 {}",
                     counted(static_cast<std::size_t>(file.requests), "request"), file.bytes,
                     file.sha256);
}

}  // namespace tpinfer::launch
