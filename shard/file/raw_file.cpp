#include "shard/file/raw_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::uint64_t kSampleBytes = 512 << 10;

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "it is a folder";
  if (S_ISFIFO(mode)) return "it is a named pipe";
  return "it is not a regular file";
}

}  // namespace

RawFile::RawFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) {
    fail(Fault::no_input, fmt::format("{}: {}", printable(path), std::strerror(errno)));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(Fault::no_input, fmt::format("{}: {}", printable(path), kind_of(status.st_mode)));
  }
}

RawFile::~RawFile() { ::close(descriptor_); }

void RawFile::read(std::uint64_t offset, void* out, std::size_t bytes) const {
  auto* to = static_cast<unsigned char*>(out);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      fail(Fault::io, fmt::format("{}: reading at byte {} failed: {}", printable(path_), offset,
                                  std::strerror(errno)));
    }
    if (got == 0) {
      fail(Fault::data, fmt::format("{}: changed while loading: it ends at byte {}, {} more bytes "
                                    "are needed",
                                    printable(path_), offset, bytes));
    }
    to += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

FileIdentity RawFile::state() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    fail(Fault::io, fmt::format("{}: {}", printable(path_), std::strerror(errno)));
  }
  return {static_cast<std::uint64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec,
          ""};
}

FileIdentity RawFile::identity() const {
  FileIdentity identity = state();
  const std::uint64_t head = std::min(identity.bytes, kSampleBytes);
  const std::uint64_t tail = std::min(identity.bytes - head, kSampleBytes);
  std::vector<unsigned char> sample(head + tail);
  read(0, sample.data(), head);
  read(identity.bytes - tail, sample.data() + head, tail);
  identity.sample_hash = sha256_hex(sample.data(), sample.size());
  return identity;
}

void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tpinfer::shard
