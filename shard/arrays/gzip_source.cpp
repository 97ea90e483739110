#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "kernels/base/error.hpp"
#include "shard/arrays/byte_source.hpp"

namespace tpinfer::shard {
namespace {

constexpr unsigned kBufferBytes = 256U << 10;

class GzipSource : public SequentialSource {
 public:
  explicit GzipSource(const RawFile& file) : path_(file.path()) {
    const int descriptor = duplicate_descriptor(file);
    stream_ = ::gzdopen(descriptor, "rb");
    if (stream_ == nullptr) {
      ::close(descriptor);
      fail(Fault::memory, fmt::format("{}: no memory to decompress it", path_));
    }
    ::gzbuffer(stream_, kBufferBytes);
  }
  ~GzipSource() override { ::gzclose(stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 protected:
  void restart() override {
    if (::gzrewind(stream_) != 0) raise();
  }

  std::size_t read_some(void* out, std::size_t bytes) override {
    const int got = ::gzread(stream_, out, static_cast<unsigned>(bytes));
    if (got > 0) return static_cast<std::size_t>(got);
    int code = Z_OK;
    ::gzerror(stream_, &code);
    if (got < 0 || code != Z_OK) raise();
    return 0;
  }

 private:
  [[noreturn]] void raise() {
    const int system_error = errno;
    int code = Z_OK;
    const std::string text = ::gzerror(stream_, &code);
    if (code == Z_ERRNO) {
      fail(Fault::io, fmt::format("{}: {}", path_, std::strerror(system_error)));
    }
    if (code == Z_BUF_ERROR) fail(Fault::data, fmt::format("{}: gzip stream is truncated", path_));
    fail(Fault::data, fmt::format("{}: gzip stream is damaged ({})", path_, text));
  }

  std::string path_;
  gzFile stream_ = nullptr;
};

}  // namespace

std::unique_ptr<ByteSource> gzip_source(const RawFile& file) {
  return std::make_unique<GzipSource>(file);
}

}  // namespace tpinfer::shard
