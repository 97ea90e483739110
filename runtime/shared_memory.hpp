// Memory that several processes of a host hold once: filled by one of them, read by the others.
#pragma once

#include <cstddef>
#include <string>

namespace tpinfer::runtime {

// An anonymous file in memory (memfd): it has no name and is gone with its last user, however that
// ends. A header says what it was filled with. Others reach it by path() while this process holds
// it open, and keep what they have mapped.
class SharedMemory {
 public:
  SharedMemory() = default;
  // Makes an empty one. Throws Fault::memory.
  static SharedMemory make();
  // Opens another process's by its path(). Throws Fault::no_input when that is not possible (the
  // process has gone, is another user's or runs in another container).
  static SharedMemory open(const std::string& path);
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  std::string path() const;  // "/proc/<this process>/fd/<n>"

  // What it was filled with; "" when nobody has filled it completely.
  std::string key() const;

  // One process at a time; the lock goes with its holder. Beats while it waits.
  void lock();
  void unlock();

  // Puts `bytes` of it in place of the memory at `address` (page-aligned), all zero, to be filled.
  // Throws Fault::memory.
  void map_to_fill(void* address, std::size_t bytes) const;
  // It is filled: says with what. Nobody may write to the memory at `address` from now on.
  void mark_filled(const std::string& key, void* address, std::size_t bytes) const;
  // Puts what was filled there, to be read only. Throws Fault::data when it is not `bytes` of
  // `key`.
  void map_to_read(const std::string& key, void* address, std::size_t bytes) const;

 private:
  explicit SharedMemory(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace tpinfer::runtime
