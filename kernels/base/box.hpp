// Boxes (parts of a global tensor) and the one division of an extent among parts.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/base/shape.hpp"

namespace tpinfer {

// A half-open range of indices.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// Part `index` of `extent` cut into `parts` at multiples of `grain`: units floor(index*U/parts)
// to floor((index+1)*U/parts), where U = ceil(extent/grain) and the last unit may be short.
// Part sizes differ by at most one unit; a part is empty when there are fewer units than parts.
// THE division of the project: layouts, leaves and collectives all call it.
//   split(10, 3, i, 1) -> [0,3) [3,6) [6,10)        split(10, 3, i, 4) -> [0,4) [4,8) [8,10)
Range split(std::int64_t extent, int parts, int index, std::int64_t grain = 1);

// The same by shares: units floor(U * (shares before) / total) to floor(U * (with its own) / total).
// Equal shares cut where equal parts do; a share of 0 is an empty part. Shares are >= 0, at least
// one is not 0.
//   split(10, {3, 1}, 0) -> [0,7)        split(10, {1, 0, 1}, 1) -> [5,5)
Range split_by_shares(std::int64_t extent, std::span<const std::int64_t> shares, int index,
                      std::int64_t grain = 1);

// A part of a global tensor: where it starts and how far it reaches, per dimension.
struct Box {
  Shape offset;
  Shape extent;
  bool operator==(const Box&) const = default;
  bool empty() const;
};

Box whole_box(const Shape& shape);

// The common part; its extents are 0 in a dimension where the boxes do not meet.
Box intersect(const Box& a, const Box& b);

// "[0:48,8:16]"; "[]" for a scalar.
std::string to_text(const Box& box);

}  // namespace tpinfer
