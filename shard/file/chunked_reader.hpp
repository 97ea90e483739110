// Boxes of chunked and compact datasets, read through the HDF5 library.
#pragma once

#include <cstddef>

#include "kernels/base/box.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/model_table.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

class ChunkedReader {
 public:
  // Opens the file that `raw` holds open, whatever its path names by now.
  explicit ChunkedReader(const RawFile& raw);

  // As ModelFile::read, for a box that lies inside the dataset and has elements; in slabs of whole
  // rows of about `slab_bytes`. Throws Fault::data when a chunk cannot be decoded.
  void read(const DatasetInfo& info, const Box& box, std::size_t slab_bytes, void* out);

 private:
  Hdf5Handle file_;
};

}  // namespace tpinfer::shard
