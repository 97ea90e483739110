// An open model: reads boxes of its tensors, from however many files.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "shard/file/model_table.hpp"
#include "shard/layout/box_cover.hpp"

namespace tpinfer::shard {

// A box of a tensor that somebody needs.
struct BoxRequest {
  std::string path;  // "/weights/fc1"
  Box box;
};

// A box is the union of its common parts with the sources' boxes; each element is read once, from
// one copy. Files are opened when the first byte of them is needed and stay open. Reads with pread
// where a dataset is contiguous, through HDF5 where it is chunked or compact; only the bytes of the
// boxes asked for are read from contiguous datasets. One thread at a time; local to a rank (nothing
// here is collective).
//   16 columns in files of 4, read [0:96,6:12]: columns 6:8 from the second, 8:12 from the third
class ModelFile {
 public:
  explicit ModelFile(ModelTable table);  // opens nothing
  ~ModelFile();

  const ModelTable& table() const { return table_; }

  // The facts of "/weights/<name>" or of an example's dataset; Fault::data when there is none.
  const TensorInfo& info(const std::string& path) const;
  // The type that read() delivers: float32 for floats, else the stored type.
  DType compute_dtype(const std::string& path) const;
  const Shape& shape(const std::string& path) const;

  // Announces reads: opens the files that they need, and as few as it can where there are copies.
  // Reads no element. Throws Fault::data naming tensor, box and missing files when elements are in
  // no file that is there; for each file Fault::no_input when it cannot be opened, and
  // Fault::disagreement when it is not the one that the table describes (size, time of change,
  // sample of its bytes).
  void prepare(const std::vector<BoxRequest>& reads);

  // Reads `box` of a tensor as dense C-order elements of compute_dtype into `out`. Throws what
  // prepare() throws, Fault::data for a box outside the tensor (naming both), damaged chunks, and a
  // file that became shorter; Fault::io when reading fails. Beats once per slab of at most 4 MiB.
  void read(const std::string& path, const Box& box, void* out);
  // The same, but the elements as they are stored.
  void read_stored(const std::string& path, const Box& box, void* out);
  // The same from this source of the tensor only; `box` lies inside the source's box.
  void read_copy(const TensorInfo& tensor, const Source& source, const Box& box, void* out);

  // Stored elements' bytes of all boxes read so far, and files opened so far.
  std::size_t bytes_read() const { return bytes_read_; }
  std::size_t files_opened() const { return files_opened_; }

  // Gives back the memory that reading took; reading may go on.
  void release();

  // Throws Fault::data when the size or time of change of a file is not what it was when opened.
  void check_unchanged() const;

 private:
  struct OpenFile;
  struct Target;

  OpenFile& open(int file);
  std::vector<Offer> offers_of(const TensorInfo& tensor) const;
  Cover find(const TensorInfo& tensor, const Box& box) const;
  void read_into(const std::string& path, const Box& box, Target target);
  void read_part(const TensorInfo& tensor, const Source& source, const Box& part,
                 const Target& target);
  void read_dataset(const Source& source, const Box& box, void* out);

  ModelTable table_;
  std::map<std::string, const TensorInfo*> tensors_;  // by path, into table_
  std::vector<std::unique_ptr<OpenFile>> open_;       // per file; null: not opened yet
  std::vector<unsigned char> stored_, decoded_;       // elements on their way
  std::size_t bytes_read_ = 0;
  std::size_t files_opened_ = 0;
};

}  // namespace tpinfer::shard
