#include "runtime/ops/strided_copy.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/base/parallel.hpp"

namespace tpinfer::runtime {
namespace {

template <typename T>
void copy_run(const T* from, std::int64_t step, T* to, std::int64_t count) {
  if (step == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * step];
}

template <typename T>
void copy(const T* from, std::int64_t start, const Shape& stride, T* to, const Shape& extent) {
  const std::size_t last = extent.size() - 1;
  const std::int64_t inner = extent[last];
  std::int64_t outer = 1;
  for (std::size_t d = 0; d < last; ++d) outer *= extent[d];
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / inner);
  parallel_ranges(outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::int64_t at = start, rest = row;
      for (std::size_t d = last; d-- > 0;) {
        at += rest % extent[d] * stride[d];
        rest /= extent[d];
      }
      copy_run(from + at, stride[last], to + row * inner, inner);
    }
  });
}

}  // namespace

void strided_copy(const void* from, std::int64_t start, const Shape& stride, void* to,
                  const Shape& extent, std::size_t item_bytes) {
  if (element_count(extent) == 0) return;
  const Shape strides = stride.empty() ? Shape{1} : stride;
  const Shape extents = extent.empty() ? Shape{1} : extent;
  auto as = [&](auto zero) {
    using T = decltype(zero);
    copy(static_cast<const T*>(from), start, strides, static_cast<T*>(to), extents);
  };
  switch (item_bytes) {
    case 1:
      return as(std::uint8_t{});
    case 2:
      return as(std::uint16_t{});
    case 4:
      return as(std::uint32_t{});
    default:
      return as(std::uint64_t{});
  }
}

}  // namespace tpinfer::runtime
