// Copies elements that lie at any distances into a dense array: what Transpose and Slice do.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/shape.hpp"

namespace tpinfer::runtime {

// to[i0,i1,...] (dense, `extent`) = from[start + i0*stride[0] + i1*stride[1] + ...], in elements of
// `item_bytes` bytes (1, 2, 4 or 8). Strides may be negative. On the process's threads.
void strided_copy(const void* from, std::int64_t start, const Shape& stride, void* to,
                  const Shape& extent, std::size_t item_bytes);

}  // namespace tpinfer::runtime
