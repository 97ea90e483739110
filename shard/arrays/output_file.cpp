#include "shard/arrays/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"
#include "shard/arrays/temporary_registry.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
constexpr int kMostLinks = 40;  // as the kernel follows
constexpr mode_t kMode = 0666;  // less the umask, as any program creates files

[[noreturn]] void fail_create(const std::string& target, const std::string& reason) {
  fail(Fault::cannot_create, fmt::format("{}: cannot be created: {}", target, reason));
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A folder that can be written but not read has nothing to synchronise through.
bool sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return true;
  const int result = ::fsync(descriptor);
  const int code = errno;
  ::close(descriptor);
  errno = code;
  return result == 0 || code == EINVAL || code == EROFS;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

std::string resolved_path(const std::string& target) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> real(::realpath(target.c_str(), nullptr));
  if (real) return real.get();
  // There is no file yet: itself, or what its links name.
  std::error_code error;
  fs::path path = target;
  for (int links = 0; links < kMostLinks && fs::is_symlink(path, error); ++links) {
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path.string();
}

std::string kept_path(const std::string& target) { return resolved_path(target) + ".part"; }

void sync_folder_of(const std::string& path) {
  if (sync_folder(directory_of(path))) return;
  fail(Fault::io, fmt::format("{}: writing its folder failed: {}", path, std::strerror(errno)));
}

void remove_file(const std::string& path) {
  if ((::unlink(path.c_str()) != 0 && errno != ENOENT) || !sync_folder(directory_of(path))) {
    fail(Fault::io, fmt::format("{}: cannot be removed: {}", path, std::strerror(errno)));
  }
}

OutputFile::OutputFile(const std::string& target, Naming naming)
    : target_(target), resolved_(resolved_path(target)) {
  struct stat status {};
  if (::stat(resolved_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    fail_create(target_, S_ISDIR(status.st_mode) ? "a folder has this name"
                                                 : "what has this name is not a regular file");
  }
  directory_ = directory_of(resolved_);
  static std::atomic<int> serial{0};
  if (naming == Naming::kept || naming == Naming::in_place) {
    naming == Naming::kept ? open_kept() : open_in_place();
    return;
  }
  temporary_ = fmt::format("{}.tmp.{}.{}", resolved_, ::getpid(), serial++);
  ::unlink(temporary_.c_str());  // of an earlier process with this number
  if (naming == Naming::named || !open_unnamed()) open_named();
}

OutputFile::~OutputFile() {
  if (!keep_ && (registered_ >= 0 || working_path_ == temporary_)) ::unlink(temporary_.c_str());
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

void OutputFile::open_kept() {
  temporary_ = kept_path(target_);
  for (bool same = false; !same;) {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kMode);
    if (descriptor_ < 0) fail_create(temporary_, std::strerror(errno));
    struct stat opened {
    }, named{};
    // Where locks do not work there is none; only a lock that somebody holds matters.
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      fail_create(temporary_, "another run is writing it; wait for its end");
    }
    if (::fstat(descriptor_, &opened) != 0) fail_create(temporary_, std::strerror(errno));
    if (!S_ISREG(opened.st_mode)) fail_create(temporary_, "it is not a regular file");
    // Whoever held the lock before may have given the file another name meanwhile.
    same = ::stat(temporary_.c_str(), &named) == 0 && same_file(opened, named);
    was_there_ = opened.st_size > 0;
  }
  working_path_ = temporary_;
  keep_ = was_there_;
}

void OutputFile::open_in_place() {
  temporary_ = resolved_;
  descriptor_ = ::open(resolved_.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor_ < 0) fail_create(target_, std::strerror(errno));
  working_path_ = temporary_;
  was_there_ = keep_ = true;
}

void OutputFile::start_again() {
  if (::ftruncate(descriptor_, 0) != 0) fail_write("emptying the kept file failed");
  was_there_ = keep_ = false;
}

void OutputFile::fail_write(const char* action) const {
  fail(Fault::io, fmt::format("{}: {}: {}", target_, action, std::strerror(errno)));
}

void OutputFile::reserve(std::uint64_t bytes) {
  end_ = std::max(end_, bytes);
  if (was_there_ || bytes == 0 || ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0)
    return;
  // Other failures mean that this file system cannot reserve.
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
    fail_write(fmt::format("no room for {}", bytes_text(bytes)).c_str());
  }
}

void OutputFile::write_at(std::uint64_t offset, const void* data, std::size_t bytes) {
  end_ = std::max(end_, offset + bytes);
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

void OutputFile::write_structure(std::uint64_t offset, const void* data, std::size_t bytes) {
  if (!was_there_) return write_at(offset, data, bytes);
  end_ = std::max(end_, offset + bytes);
  std::string found(bytes, '\0');
  read_at(offset, found.data(), bytes);
  if (std::memcmp(found.data(), data, bytes) == 0) return;
  fail(Fault::data, fmt::format("{}: its structure is not what this run would write; was it made "
                                "by another version?",
                                temporary_));
}

void OutputFile::read_at(std::uint64_t offset, void* out, std::size_t bytes) const {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got =
        ::pread(descriptor_, static_cast<char*>(out) + done, std::min(bytes - done, kSlabBytes),
                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_write("reading back what was written failed");
    if (got == 0) {
      fail(Fault::data, fmt::format("{}: ends after {} bytes, shorter than what was written",
                                    temporary_, offset + done));
    }
    beat();
    done += static_cast<std::size_t>(got);
  }
}

void OutputFile::sync() {
  if (::fsync(descriptor_) != 0) fail_write("writing to disk failed");
}

void OutputFile::append(const void* data, std::size_t bytes) {
  write_at(appended_bytes_, data, bytes);
  appended_bytes_ += bytes;
}

void OutputFile::commit() {
  // What somebody else has put behind the end is none of the output's.
  if (was_there_ && ::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0) {
    fail_write("cutting the kept file to its length failed");
  }
  sync();
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
  if (!sync_folder(directory_)) fail_write("writing its folder failed");
}

}  // namespace tpinfer::shard
