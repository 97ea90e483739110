#include "runtime/shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::runtime {
namespace {

constexpr std::size_t kKeyBytes = 128;

// The first page. `filled` is written last.
struct Header {
  std::array<char, 16> magic{'t', 'p', 'i', 'n', 'f', 'e', 'r', ' ', 'm', 'e', 'm', ' ', '1'};
  std::uint64_t bytes = 0;
  std::uint64_t filled = 0;
  std::array<char, kKeyBytes> key{};
};

off_t header_bytes() { return sysconf(_SC_PAGESIZE); }

Header read_header(int descriptor) {
  Header header;
  if (pread(descriptor, &header, sizeof header, 0) != sizeof header) return Header{};
  return header;
}

void write_header(int descriptor, const Header& header) {
  if (pwrite(descriptor, &header, sizeof header, 0) == sizeof header) return;
  fail(Fault::memory, fmt::format("shared memory: {}", std::strerror(errno)));
}

void map(int descriptor, void* address, std::size_t bytes, int protection) {
  void* at = mmap(address, bytes, protection, MAP_SHARED | MAP_FIXED, descriptor, header_bytes());
  if (at == MAP_FAILED) {
    fail(Fault::memory,
         fmt::format("no shared memory of {}: {}", bytes_text(bytes), std::strerror(errno)));
  }
  madvise(address, bytes, MADV_HUGEPAGE);  // where the system has them for shared memory
}

}  // namespace

SharedMemory SharedMemory::make() {
  const int descriptor = memfd_create("tpinfer", MFD_CLOEXEC);
  if (descriptor < 0) {
    fail(Fault::memory, fmt::format("no shared memory: {}", std::strerror(errno)));
  }
  return SharedMemory(descriptor);
}

SharedMemory SharedMemory::open(const std::string& path) {
  // On another host or in another container the path may mean any file, which must not be touched.
  std::array<char, 64> target{};
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  const std::string_view name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const bool ours = name.starts_with("/memfd:tpinfer");
  const int descriptor = ours ? ::open(path.c_str(), O_RDWR | O_CLOEXEC) : -1;
  if (ours && descriptor >= 0) return SharedMemory(descriptor);
  const bool other = length > 0 && !ours;
  fail(Fault::no_input,
       fmt::format("{}: {}", path, other ? "no shared memory of tpinfer" : std::strerror(errno)));
}

SharedMemory::~SharedMemory() {
  if (descriptor_ >= 0) close(descriptor_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

std::string SharedMemory::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
}

std::string SharedMemory::key() const {
  const Header header = read_header(descriptor_);
  if (header.magic != Header{}.magic || header.filled != 1) return "";
  return {header.key.data(), strnlen(header.key.data(), header.key.size())};
}

void SharedMemory::lock() {
  while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      fail(Fault::internal, fmt::format("shared memory: flock: {}", std::strerror(errno)));
    }
    beat();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void SharedMemory::unlock() { flock(descriptor_, LOCK_UN); }

void SharedMemory::map_to_fill(void* address, std::size_t bytes) const {
  // What somebody who died has left is gone with the old length.
  const off_t length = header_bytes() + static_cast<off_t>(bytes);
  if (ftruncate(descriptor_, 0) != 0 || ftruncate(descriptor_, length) != 0) {
    fail(Fault::memory,
         fmt::format("no shared memory of {}: {}", bytes_text(bytes), std::strerror(errno)));
  }
  map(descriptor_, address, bytes, PROT_READ | PROT_WRITE);
}

void SharedMemory::mark_filled(const std::string& key, void* address, std::size_t bytes) const {
  mprotect(address, bytes, PROT_READ);
  Header header;
  header.bytes = bytes;
  key.copy(header.key.data(), header.key.size() - 1);
  write_header(descriptor_, header);
  header.filled = 1;
  write_header(descriptor_, header);
}

void SharedMemory::map_to_read(const std::string& key, void* address, std::size_t bytes) const {
  const Header header = read_header(descriptor_);
  struct stat found {};
  const bool whole = fstat(descriptor_, &found) == 0 &&
                     found.st_size == header_bytes() + static_cast<off_t>(bytes);
  if (this->key() != key || header.bytes != bytes || !whole) {
    fail(Fault::data, "shared memory holds other weights");
  }
  map(descriptor_, address, bytes, PROT_READ);
}

}  // namespace tpinfer::runtime
