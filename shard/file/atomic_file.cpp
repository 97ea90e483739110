#include "shard/file/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

[[noreturn]] void fail_write(const std::string& path) {
  fail(Fault::io, fmt::format("{}: writing failed: {}", printable(path), std::strerror(errno)));
}

void sync_path(const std::string& path, const std::string& shown) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  errno = error;
  if (!good) fail_write(shown);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), temporary_(fmt::format("{}.tmp.{}", path, ::getpid())) {
  ::unlink(temporary_.c_str());  // of an earlier process with this number
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  sync_path(temporary_, path_);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_write(path_);
  committed_ = true;
  sync_path(folder_of(path_), path_);
}

}  // namespace tpinfer::shard
