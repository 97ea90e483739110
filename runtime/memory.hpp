// One block of memory, sized by a program, allocated when it is made.
#pragma once

#include <cstddef>
#include <string>

namespace tpinfer::runtime {

// Page-aligned and zeroed by the system on first touch. Throws Fault::memory naming `what` and the
// size when the system has not that much.
class Block {
 public:
  Block() = default;
  Block(std::size_t bytes, const std::string& what);
  ~Block();
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;

  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace tpinfer::runtime
