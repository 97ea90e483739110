#include "shard/arrays/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"
#include "shard/arrays/temporary_registry.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
constexpr mode_t kMode = 0666;  // less the umask, as any program creates files

[[noreturn]] void fail_create(const std::string& target, const std::string& reason) {
  fail(Fault::cannot_create, fmt::format("{}: cannot be created: {}", target, reason));
}

// The file behind symbolic links, or `target` itself when there is none yet.
std::string resolve(const std::string& target) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> real(::realpath(target.c_str(), nullptr));
  return real ? real.get() : target;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

OutputFile::OutputFile(const std::string& target, Naming naming)
    : target_(target), resolved_(resolve(target)) {
  struct stat status {};
  if (::stat(resolved_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    fail_create(target_, S_ISDIR(status.st_mode) ? "a folder has this name"
                                                 : "what has this name is not a regular file");
  }
  directory_ = directory_of(resolved_);
  static std::atomic<int> serial{0};
  temporary_ = fmt::format("{}.tmp.{}.{}", resolved_, ::getpid(), serial++);
  ::unlink(temporary_.c_str());  // of an earlier process with this number
  if (naming == Naming::named || !open_unnamed()) open_named();
}

OutputFile::~OutputFile() {
  if (registered_ >= 0 || working_path_ == temporary_) ::unlink(temporary_.c_str());
  forget_temporary(registered_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool OutputFile::open_unnamed() {
  descriptor_ = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor_ < 0) return false;
  // The name under /proc is how the file gets its own name in the end.
  working_path_ = fmt::format("/proc/self/fd/{}", descriptor_);
  if (::access(working_path_.c_str(), F_OK) == 0) return true;
  ::close(std::exchange(descriptor_, -1));
  return false;
}

void OutputFile::open_named() {
  registered_ = register_temporary(temporary_);
  descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (descriptor_ < 0) {
    const int code = errno;
    forget_temporary(std::exchange(registered_, -1));
    fail_create(target_, std::strerror(code));
  }
  working_path_ = temporary_;
}

void OutputFile::fail_write(const char* action) const {
  fail(Fault::io, fmt::format("{}: {}: {}", target_, action, std::strerror(errno)));
}

void OutputFile::reserve(std::uint64_t bytes) {
  if (bytes == 0 || ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0) return;
  // Other failures mean that this file system cannot reserve.
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
    fail_write(fmt::format("no room for {}", bytes_text(bytes)).c_str());
  }
}

void OutputFile::write_at(std::uint64_t offset, const void* data, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t put =
        ::pwrite(descriptor_, static_cast<const char*>(data) + done,
                 std::min(bytes - done, kSlabBytes), static_cast<off_t>(offset + done));
    if (put < 0) {
      if (errno == EINTR) continue;
      fail_write("writing failed");
    }
    beat();
    done += static_cast<std::size_t>(put);
  }
}

void OutputFile::append(const void* data, std::size_t bytes) {
  write_at(appended_bytes_, data, bytes);
  appended_bytes_ += bytes;
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail_write("writing to disk failed");
  // Without an older file there is no moment in which the new one has a passing name.
  if (working_path_ != temporary_ && ::linkat(AT_FDCWD, working_path_.c_str(), AT_FDCWD,
                                              resolved_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    working_path_.clear();
    sync_directory();
    return;
  }
  if (working_path_ != temporary_) {
    registered_ = register_temporary(temporary_);
    if (::linkat(AT_FDCWD, working_path_.c_str(), AT_FDCWD, temporary_.c_str(),
                 AT_SYMLINK_FOLLOW) != 0) {
      fail_write("naming the finished file failed");
    }
    working_path_ = temporary_;
  }
  if (::rename(temporary_.c_str(), resolved_.c_str()) != 0) {
    fail_write("moving the finished file into place failed");
  }
  forget_temporary(std::exchange(registered_, -1));
  working_path_.clear();
  sync_directory();
}

void OutputFile::sync_directory() const {
  const int directory = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;  // a folder that can be written but not read: nothing to sync through
  const int result = ::fsync(directory);
  const int code = errno;
  ::close(directory);
  errno = code;
  if (result != 0 && code != EINVAL && code != EROFS) fail_write("writing its folder failed");
}

}  // namespace tpinfer::shard
