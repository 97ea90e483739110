#include "kernels/base/view.hpp"

#include <cstring>

namespace tpinfer {
namespace {

// Copies `extent` elements starting at the given places, dimension by dimension.
void copy_rows(const std::byte* from, const Shape& from_strides, std::byte* to,
               const Shape& to_strides, const Shape& extent, std::size_t dim,
               std::size_t item_bytes) {
  if (dim + 1 >= extent.size()) {
    const std::size_t count = extent.empty() ? 1 : static_cast<std::size_t>(extent[dim]);
    std::memcpy(to, from, count * item_bytes);
    return;
  }
  for (std::int64_t i = 0; i < extent[dim]; ++i) {
    copy_rows(from, from_strides, to, to_strides, extent, dim + 1, item_bytes);
    from += static_cast<std::size_t>(from_strides[dim]) * item_bytes;
    to += static_cast<std::size_t>(to_strides[dim]) * item_bytes;
  }
}

std::byte* place_of(const Piece& piece, const Box& part, const Shape& strides) {
  std::int64_t index = 0;
  for (std::size_t d = 0; d < part.offset.size(); ++d) {
    index += (part.offset[d] - piece.box.offset[d]) * strides[d];
  }
  return static_cast<std::byte*>(piece.view.data) +
         static_cast<std::size_t>(index) * size_of(piece.view.dtype);
}

}  // namespace

void copy_common(const Piece& from, const Piece& to) {
  const Box part = intersect(from.box, to.box);
  if (part.empty()) return;
  const Shape from_strides = strides_of(from.box.extent);
  const Shape to_strides = strides_of(to.box.extent);
  const std::byte* source = place_of(from, part, from_strides);
  std::byte* target = place_of(to, part, to_strides);
  // Dimensions that both sides hold whole are one run of memory.
  Shape extent = part.extent;
  while (extent.size() > 1 && extent.back() == from.box.extent[extent.size() - 1] &&
         extent.back() == to.box.extent[extent.size() - 1]) {
    const std::int64_t inner = extent.back();
    extent.pop_back();
    extent.back() *= inner;
  }
  copy_rows(source, from_strides, target, to_strides, extent, 0, size_of(from.view.dtype));
}

}  // namespace tpinfer
