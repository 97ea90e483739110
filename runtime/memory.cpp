#include "runtime/memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::runtime {

Block::Block(std::size_t bytes, const std::string& what) : bytes_(bytes) {
  if (bytes == 0) return;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fail(Fault::memory, fmt::format("no memory for {} ({}); use more ranks or a smaller "
                                    "--batch-size",
                                    what, bytes_text(bytes)));
  }
  data_ = static_cast<std::byte*>(memory);
}

Block::~Block() {
  if (data_) munmap(data_, bytes_);
}

Block::Block(Block&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace tpinfer::runtime
