// An open model: reads boxes of its tensors.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "shard/file/model_table.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

class ChunkedReader;

// Reads with pread where a dataset is contiguous, through HDF5 where it is chunked or compact; only
// the bytes of the boxes asked for are read from contiguous datasets. One thread at a time. Holds
// the file open; local to a rank (nothing here is collective).
class ModelFile {
 public:
  // Opens table.path. Throws Fault::no_input when that fails, Fault::disagreement when the file is
  // not the one that the table describes (size, time of change, sample of its bytes).
  explicit ModelFile(ModelTable table);
  ~ModelFile();

  const ModelTable& table() const { return table_; }

  // The facts of "/weights/<name>" or of an example's dataset; Fault::data when there is none.
  const DatasetInfo& info(const std::string& dataset_path) const;
  // The type that read() delivers: float32 for floats, else the stored type.
  DType compute_dtype(const std::string& dataset_path) const;
  const Shape& shape(const std::string& dataset_path) const;

  // Reads `box` of a dataset as dense C-order elements of compute_dtype into `out`. Throws
  // Fault::data for a box outside the dataset (naming both), damaged chunks, and a file that became
  // shorter; Fault::io when reading fails. Beats once per slab of at most 4 MiB.
  void read(const std::string& dataset_path, const Box& box, void* out);

  // Stored elements' bytes of all boxes read so far.
  std::size_t bytes_read() const { return bytes_read_; }

  // Throws Fault::data when the file's size or time of change is not what it was when opened.
  void check_unchanged() const;

 private:
  void read_contiguous(const DatasetInfo& info, const Box& box, void* out);
  void read_run(const DatasetInfo& info, std::int64_t element, std::int64_t count, void* out);

  ModelTable table_;
  RawFile file_;
  std::map<std::string, const DatasetInfo*> datasets_;  // by path, into table_
  std::unique_ptr<ChunkedReader> chunked_;              // opened when first needed
  std::vector<unsigned char> slab_;                     // stored elements on their way
  std::size_t bytes_read_ = 0;
};

}  // namespace tpinfer::shard
