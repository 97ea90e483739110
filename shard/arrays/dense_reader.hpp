// An array whose elements lie one after the other in a source of bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shard/arrays/array_reader.hpp"
#include "shard/arrays/byte_source.hpp"

namespace tpinfer::shard {

// What the header of an .npy or IDX file says.
struct DenseLayout {
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t data_offset = 0;  // bytes from the start of the source
  bool big_endian = false;
};

// `name` is how messages call the array. Throws Fault::data when the shape overflows or the source
// is known to be shorter than the layout says.
std::unique_ptr<ArrayReader> dense_reader(const std::string& name, const DenseLayout& layout,
                                          std::unique_ptr<ByteSource> source);

// Throws Fault::internal unless `range` lies within the rows of `reader`. For implementations of
// ArrayReader.
void check_rows(const ArrayReader& reader, const std::string& name, Range range);

// Makes every byte 0 or 1: other values in a C++ bool are undefined behaviour.
void normalise_booleans(void* data, std::size_t count);

}  // namespace tpinfer::shard
