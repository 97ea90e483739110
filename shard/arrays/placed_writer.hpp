// Arrays whose bytes have fixed places in the file, known before the first row is written.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "shard/arrays/array_writer.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/arrays/row_count.hpp"

namespace tpinfer::shard {

// .npy and .h5 are complete once the elements are in their places; .npz adds its checksums.
class PlacedWriter : public ArrayWriter {
 public:
  // Element 0 of array i stands at byte offsets[i] of `file`.
  PlacedWriter(std::unique_ptr<OutputFile> file, std::vector<ArraySpec> arrays,
               std::vector<std::uint64_t> offsets);

  void append(std::size_t output, const void* data, std::int64_t rows) override;
  void finish() override;

 protected:
  // Called for the bytes of each append, and before the file is put in place.
  virtual void on_bytes(std::size_t output, const void* data, std::size_t bytes);
  virtual void complete(OutputFile& file);

 private:
  std::unique_ptr<OutputFile> file_;
  RowCount rows_;
  std::vector<std::uint64_t> offsets_;
};

// One per format; arguments as for create_arrays.
std::unique_ptr<ArrayWriter> npy_writer(std::unique_ptr<OutputFile> file,
                                        std::vector<ArraySpec> arrays);
std::unique_ptr<ArrayWriter> npz_writer(std::unique_ptr<OutputFile> file,
                                        std::vector<ArraySpec> arrays);
std::unique_ptr<ArrayWriter> hdf5_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays);
std::unique_ptr<ArrayWriter> json_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays);

}  // namespace tpinfer::shard
