// The header of NumPy's .npy files:
// numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <string>

#include "shard/arrays/byte_source.hpp"
#include "shard/arrays/dense_reader.hpp"

namespace tpinfer::shard {

// Parses the header at the start of `source` (versions 1.0, 2.0, 3.0); nothing is evaluated.
// Throws Fault::data that names the array and the field: damaged header, Fortran order, object,
// structured or other element types without a counterpart here.
DenseLayout read_npy_header(const std::string& name, ByteSource& source);

// Byte for byte what numpy.save writes (version 1.0). `dtype` is not bf16.
std::string npy_header(DType dtype, const Shape& shape);

}  // namespace tpinfer::shard
