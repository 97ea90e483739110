// A file that appears under its name only when it is complete.
#pragma once

#include <string>

namespace tpinfer::shard {

// Chooses a temporary name beside `path`; whoever owns this object creates and closes that file.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  // Removes the temporary unless commit() was called.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& temporary() const { return temporary_; }

  // Puts the temporary on disk, then in the place of `path`. Throws Fault::io.
  void commit();

 private:
  std::string path_;
  std::string temporary_;
  bool committed_ = false;
};

}  // namespace tpinfer::shard
