#include "shard/arrays/idx_header.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kMaxDimensions = 32;

std::optional<DType> element_type(unsigned char code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x09:
      return DType::i8;
    case 0x0b:
      return DType::i16;
    case 0x0c:
      return DType::i32;
    case 0x0d:
      return DType::f32;
    case 0x0e:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_idx(std::span<const unsigned char> start) {
  return start.size() >= kMagicBytes && start[0] == 0 && start[1] == 0 &&
         element_type(start[2]).has_value() && start[3] >= 1 && start[3] <= kMaxDimensions;
}

DenseLayout read_idx_header(const std::string& name, ByteSource& source) {
  std::array<unsigned char, kMagicBytes> magic{};
  if (source.read_at(0, magic.data(), kMagicBytes) < kMagicBytes || !is_idx(magic)) {
    fail(Fault::data, fmt::format("{}: not an IDX file", name));
  }
  const std::size_t dimensions = magic[3];
  std::vector<unsigned char> extents(4 * dimensions);
  if (source.read_at(kMagicBytes, extents.data(), extents.size()) < extents.size()) {
    fail(Fault::data,
         fmt::format("{}: IDX header is truncated: it announces {} dimensions", name, dimensions));
  }
  DenseLayout layout;
  layout.dtype = *element_type(magic[2]);
  layout.big_endian = true;
  layout.data_offset = kMagicBytes + extents.size();
  for (std::size_t i = 0; i < extents.size(); i += 4) {
    std::int64_t extent = 0;
    for (std::size_t k = 0; k < 4; ++k) extent = extent << 8 | extents[i + k];
    layout.shape.push_back(extent);
  }
  return layout;
}

}  // namespace tpinfer::shard
