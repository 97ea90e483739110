#include "shard/file/data_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/file/file_names.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

// Some file systems cannot synchronise a folder; that is no failure.
void sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

}  // namespace

DataFile::DataFile(const std::string& path, const std::string& shown) : shown_(shown) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail_write("opening failed");
}

DataFile::~DataFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void DataFile::fail_write(const char* action) const {
  fail(Fault::io, fmt::format("{}: {}: {}", shown_, action, std::strerror(errno)));
}

void DataFile::write_at(std::uint64_t offset, const void* data, std::size_t bytes) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::pwrite(descriptor_, from, bytes, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_write("writing failed");
    from += put;
    offset += static_cast<std::uint64_t>(put);
    bytes -= static_cast<std::size_t>(put);
  }
  beat();
}

void DataFile::sync() {
  if (::fsync(descriptor_) != 0) fail_write("writing to disk failed");
}

OutputFolder::OutputFolder(const std::string& target) : target_(target) {
  while (target_.size() > 1 && target_.ends_with('/')) target_.pop_back();
  std::error_code error;
  if (path_exists(target_) && (!is_folder(target_) || !fs::is_empty(target_, error))) {
    fail(Fault::cannot_create,
         fmt::format("{}: is there already{}; name a new folder", printable(target_),
                     is_folder(target_) ? " and not empty" : ""));
  }
  temporary_ = fmt::format("{}.tmp.{}", target_, ::getpid());
  fs::remove_all(temporary_, error);  // of an earlier process with this number
  if (!fs::create_directory(temporary_, error)) {
    const std::string reason = error ? error.message() : "its temporary name is taken";
    temporary_.clear();
    fail(Fault::cannot_create,
         fmt::format("{}: cannot be created: {}", printable(target_), reason));
  }
}

OutputFolder::~OutputFolder() {
  std::error_code error;
  if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

void OutputFolder::commit() {
  sync_folder(temporary_);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail(Fault::io, fmt::format("{}: moving the finished folder into place failed: {}",
                                printable(target_), std::strerror(errno)));
  }
  temporary_.clear();
  sync_folder(folder_of(target_));
}

}  // namespace tpinfer::shard
