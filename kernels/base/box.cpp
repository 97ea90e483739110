#include "kernels/base/box.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tpinfer {

Range split(std::int64_t extent, int parts, int index, std::int64_t grain) {
  const std::int64_t units = (extent + grain - 1) / grain;
  // 128 bits: index * units may leave int64 for absurd extents.
  auto boundary = [&](int i) {
    const auto unit = static_cast<std::int64_t>(static_cast<__int128>(units) * i / parts);
    return std::min(unit * grain, extent);
  };
  return {boundary(index), boundary(index + 1)};
}

Range split_by_shares(std::int64_t extent, std::span<const std::int64_t> shares, int index,
                      std::int64_t grain) {
  const std::int64_t units = (extent + grain - 1) / grain;
  __int128 before = 0, total = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (static_cast<int>(i) < index) before += shares[i];
    total += shares[i];
  }
  auto boundary = [&](__int128 sum) {
    return std::min(static_cast<std::int64_t>(units * sum / total) * grain, extent);
  };
  return {boundary(before), boundary(before + shares[static_cast<std::size_t>(index)])};
}

bool Box::empty() const {
  return std::any_of(extent.begin(), extent.end(), [](std::int64_t e) { return e == 0; });
}

Box whole_box(const Shape& shape) { return {Shape(shape.size(), 0), shape}; }

Box intersect(const Box& a, const Box& b) {
  Box out{a.offset, a.extent};
  for (std::size_t d = 0; d < a.offset.size(); ++d) {
    const std::int64_t begin = std::max(a.offset[d], b.offset[d]);
    const std::int64_t end = std::min(a.offset[d] + a.extent[d], b.offset[d] + b.extent[d]);
    out.offset[d] = begin;
    out.extent[d] = std::max<std::int64_t>(0, end - begin);
  }
  return out;
}

std::string to_text(const Box& box) {
  std::string text = "[";
  for (std::size_t d = 0; d < box.offset.size(); ++d) {
    text += fmt::format("{}{}:{}", d ? "," : "", box.offset[d], box.offset[d] + box.extent[d]);
  }
  return text + "]";
}

}  // namespace tpinfer
