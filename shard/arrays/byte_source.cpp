#include "shard/arrays/byte_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSkipBytes = std::size_t{256} << 10;
constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(std::unique_ptr<RawFile> file)
      : file_(std::move(file)), bytes_(file_->state().bytes) {}

  std::size_t read_at(std::uint64_t offset, void* out, std::size_t bytes) override {
    if (offset >= bytes_) return 0;
    const auto held = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, bytes_ - offset));
    file_->read(offset, out, held);
    return held;
  }
  std::optional<std::uint64_t> size() const override { return bytes_; }

 private:
  std::unique_ptr<RawFile> file_;
  std::uint64_t bytes_;
};

}  // namespace

std::size_t SequentialSource::read_fully(void* out, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t got =
        read_some(static_cast<char*>(out) + done, std::min(bytes - done, kSlabBytes));
    if (got == 0) break;
    beat();
    done += got;
    position_ += got;
  }
  return done;
}

std::size_t SequentialSource::read_at(std::uint64_t offset, void* out, std::size_t bytes) {
  if (offset < position_) {
    restart();
    position_ = 0;
  }
  while (position_ < offset) {
    skipped_.resize(kSkipBytes);
    const auto step =
        static_cast<std::size_t>(std::min<std::uint64_t>(kSkipBytes, offset - position_));
    if (read_fully(skipped_.data(), step) < step) return 0;
  }
  return read_fully(out, bytes);
}

int duplicate_descriptor(const RawFile& file) {
  const int copy = ::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    fail(Fault::memory, fmt::format("{}: {}", file.path(), std::strerror(errno)));
  }
  // The copy shares its position with the original, which only ever reads at an offset.
  ::lseek(copy, 0, SEEK_SET);
  return copy;
}

std::unique_ptr<ByteSource> plain_source(std::unique_ptr<RawFile> file) {
  return std::make_unique<PlainSource>(std::move(file));
}

}  // namespace tpinfer::shard
