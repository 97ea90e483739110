// Boxes of chunked and compact datasets, read through the HDF5 library.
#pragma once

#include <string>

#include "kernels/base/box.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/model_table.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

class ChunkedReader {
 public:
  // Opens the file that `raw` holds open, whatever its path names by now.
  explicit ChunkedReader(const RawFile& raw);

  // The stored elements of a box that lies inside the dataset and has elements, dense. The dataset
  // stays open, and its chunks cached, until another one is read or release() is called. Throws
  // Fault::data when a chunk cannot be decoded.
  void read(const DatasetInfo& info, const Box& box, void* out);

  // Closes the dataset and gives its cache back.
  void release();

 private:
  Hdf5Handle file_;
  Hdf5Handle dataset_;
  std::string open_path_;  // of dataset_
};

}  // namespace tpinfer::shard
