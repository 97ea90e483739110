// Arrays that a person hands to the program, read row by row from any of the known files.
#pragma once

#include <memory>
#include <string>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

// An open array. It may be larger than memory: nothing but the rows asked for is held.
class ArrayReader {
 public:
  virtual ~ArrayReader() = default;

  DType dtype = DType::f32;  // as stored in the file
  Shape shape;

  // Rows along dimension 0; a scalar counts as one row.
  std::int64_t rows() const { return shape.empty() ? 1 : shape[0]; }

  // Writes rows [begin, end) to `out`: dense, C order, elements of `dtype` in host byte order,
  // booleans as 0 or 1. Ascending ranges are cheap for every format; going back in a compressed
  // file starts again from its beginning. Beats once per slab of at most 4 MiB.
  // Throws Fault::data when the file is damaged or shorter than it says, Fault::io when reading
  // fails, Fault::internal for a range outside [0, rows()].
  virtual void read_rows(Range range, void* out) = 0;
};

// Opens `source`, recognised by content, not by its name:
//   x.npy                 NumPy 1.0, 2.0, 3.0; also gzip-compressed
//   x.npz, x.npz:name     without a name: the array called `preferred_name`, else the only one
//   x.h5:/path/dataset    without a dataset: chosen among the file's root as for .npz
//   x-idx3-ubyte[.gz]     IDX (the MNIST family), big-endian elements converted
// Throws Fault::no_input when the file is missing, unreadable or not a regular file (it never
// blocks on a pipe), Fault::data when its content is not such an array.
std::unique_ptr<ArrayReader> open_array(const std::string& source,
                                        const std::string& preferred_name);

}  // namespace tpinfer::shard
