// A file opened for reading by its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpinfer::shard {

// What tells one version of a file from another, on any host.
struct FileIdentity {
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::string sample_hash;  // SHA-256 of the first and the last 512 KiB (of all, up to 1 MiB)
  bool operator==(const FileIdentity&) const = default;
};

// Owns the descriptor. Safe to use from one thread at a time.
class RawFile {
 public:
  // Never blocks: a FIFO, a folder or a device is refused. Throws Fault::no_input naming path and
  // reason when the file is missing, unreadable or not a regular file.
  explicit RawFile(const std::string& path);
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }

  // Exactly [offset, offset + bytes). Throws Fault::io when reading fails, Fault::data when the
  // file ends before ("changed while loading").
  void read(std::uint64_t offset, void* out, std::size_t bytes) const;

  // The present size and time of the last change; sample_hash stays empty.
  FileIdentity state() const;
  FileIdentity identity() const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

// Lets this process hold as many files open as the system allows it to.
void allow_many_files();

}  // namespace tpinfer::shard
