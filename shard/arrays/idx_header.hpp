// The header of IDX files, as the MNIST family of data sets uses them (yann.lecun.com/exdb/mnist):
// two zero bytes, element type, number of dimensions, then each extent as big-endian uint32.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "shard/arrays/byte_source.hpp"
#include "shard/arrays/dense_reader.hpp"

namespace tpinfer::shard {

// Whether a file that starts with these bytes is an IDX file.
bool is_idx(std::span<const unsigned char> start);

// Parses the header at the start of `source`, for which is_idx holds. Throws Fault::data.
DenseLayout read_idx_header(const std::string& name, ByteSource& source);

}  // namespace tpinfer::shard
