#include "shard/arrays/dense_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::shard {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;  // a multiple of every element size

void swap_bytes(void* data, std::size_t bytes, std::size_t element_bytes) {
  auto* first = static_cast<unsigned char*>(data);
  for (std::size_t i = 0; i + element_bytes <= bytes; i += element_bytes) {
    std::reverse(first + i, first + i + element_bytes);
  }
}

class DenseReader : public ArrayReader {
 public:
  DenseReader(std::string name, const DenseLayout& layout, std::unique_ptr<ByteSource> source)
      : name_(std::move(name)), source_(std::move(source)), data_offset_(layout.data_offset) {
    dtype = layout.dtype;
    shape = layout.shape;
    swap_ = layout.big_endian && size_of(dtype) > 1;
    try {
      data_bytes_ = byte_count(shape, dtype);
    } catch (const Error& error) {
      fail_in(name_, error);
    }
    row_bytes_ = rows() == 0 ? 0 : data_bytes_ / static_cast<std::size_t>(rows());
    const auto held = source_->size();
    if (held && (*held < data_offset_ || *held - data_offset_ < data_bytes_)) {
      fail_short(*held < data_offset_ ? 0 : *held - data_offset_);
    }
  }

  void read_rows(Range range, void* out) override {
    check_rows(*this, name_, range);
    const std::size_t begin = static_cast<std::size_t>(range.begin) * row_bytes_;
    const std::size_t bytes = static_cast<std::size_t>(range.size()) * row_bytes_;
    for (std::size_t done = 0; done < bytes;) {
      const std::size_t slab = std::min(kSlabBytes, bytes - done);
      void* target = static_cast<char*>(out) + done;
      const std::size_t got = source_->read_at(data_offset_ + begin + done, target, slab);
      if (got < slab) fail_short(begin + done + got);
      if (swap_) swap_bytes(target, slab, size_of(dtype));
      if (dtype == DType::boolean) normalise_booleans(target, slab);
      beat();
      done += slab;
    }
    // One step past the last element makes a compressed source compare its checksum.
    char beyond = 0;
    if (bytes > 0 && begin + bytes == data_bytes_) {
      source_->read_at(data_offset_ + data_bytes_, &beyond, 1);
    }
  }

 private:
  [[noreturn]] void fail_short(std::uint64_t held) const {
    fail(Fault::data, fmt::format("{}: shape {} of {} needs {} bytes of data, the file has {}",
                                  name_, to_text(shape), name_of(dtype), data_bytes_, held));
  }

  std::string name_;
  std::unique_ptr<ByteSource> source_;
  std::uint64_t data_offset_;
  std::size_t data_bytes_ = 0;
  std::size_t row_bytes_ = 0;
  bool swap_ = false;
};

}  // namespace

std::unique_ptr<ArrayReader> dense_reader(const std::string& name, const DenseLayout& layout,
                                          std::unique_ptr<ByteSource> source) {
  return std::make_unique<DenseReader>(name, layout, std::move(source));
}

void check_rows(const ArrayReader& reader, const std::string& name, Range range) {
  if (range.begin < 0 || range.begin > range.end || range.end > reader.rows()) {
    fail(Fault::internal, fmt::format("{}: rows [{},{}) asked for, it has {}", name, range.begin,
                                      range.end, reader.rows()));
  }
}

void normalise_booleans(void* data, std::size_t count) {
  auto* bytes = static_cast<unsigned char*>(data);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = bytes[i] != 0;
}

}  // namespace tpinfer::shard
