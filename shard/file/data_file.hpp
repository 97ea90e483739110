// A file whose structure is there already and whose elements follow by plain writes: a full disk is
// met by us and not inside HDF5, and no tensor need be in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpinfer::shard {

class DataFile {
 public:
  // Opens it for writing; `shown` is the name in messages. Throws Fault::io.
  DataFile(const std::string& path, const std::string& shown);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  void write_at(std::uint64_t offset, const void* data, std::size_t bytes);  // throws Fault::io
  // Everything to disk. Throws Fault::io.
  void sync();

 private:
  [[noreturn]] void fail_write(const char* action) const;

  std::string shown_;
  int descriptor_ = -1;
};

// A folder that appears whole or not at all: filled under "TARGET.tmp.PID", renamed by commit().
// Without commit() everything is removed.
class OutputFolder {
 public:
  // Throws Fault::cannot_create: no permission, or the target is there and not an empty folder.
  explicit OutputFolder(const std::string& target);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Where a file of the folder is written, and what it will be called.
  std::string working_path(const std::string& name) const { return temporary_ + "/" + name; }
  std::string final_path(const std::string& name) const { return target_ + "/" + name; }

  // Call once, last, when all files are on disk. Throws Fault::io.
  void commit();

 private:
  std::string target_;
  std::string temporary_;
};

}  // namespace tpinfer::shard
