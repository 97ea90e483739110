// Extents of a tensor. Row-major (C) order everywhere: the last dimension is contiguous.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/dtype.hpp"

namespace tpinfer {

using Shape = std::vector<std::int64_t>;

// Product of the extents; 1 for a scalar. Throws Fault::data on a negative extent or when the
// product leaves int64.
std::int64_t element_count(const Shape& shape);

// element_count times size_of(dtype), checked the same way.
std::size_t byte_count(const Shape& shape, DType dtype);

// "(128,16)", "()" for a scalar, "(5,)" for a vector: as NumPy prints it, without blanks.
std::string to_text(const Shape& shape);

// Elements between neighbours along each dimension.
Shape strides_of(const Shape& shape);

// NumPy's broadcasting of two shapes (numpy.org/doc/stable/user/basics.broadcasting.html).
// Throws Fault::data naming both when they do not broadcast.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace tpinfer
