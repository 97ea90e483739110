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
class PlacedWriter : public KeptArrays {
 public:
  // Element 0 of array i stands at byte offsets[i] of `file`.
  PlacedWriter(std::unique_ptr<OutputFile> file, std::vector<ArraySpec> arrays,
               std::vector<std::uint64_t> offsets);

  void append(std::size_t output, const void* data, std::int64_t rows) override;
  void finish() override;
  void save() override;
  void keep() override;
  void read_rows(std::size_t output, Range rows, void* out) override;

  // In a kept file: counts what an earlier process has written. Throws Fault::data when the file is
  // too short.
  void restore(const std::vector<std::int64_t>& rows_done);

 protected:
  // Called for the bytes of each append, and before the file is put in place.
  virtual void on_bytes(std::size_t output, const void* data, std::size_t bytes);
  virtual void complete(OutputFile& file);
  // Puts the complete file in place.
  virtual void commit(OutputFile& file);
  const RowCount& rows() const { return rows_; }

 private:
  std::unique_ptr<OutputFile> file_;
  RowCount rows_;
  std::vector<std::uint64_t> offsets_;
};

// One per format; arguments as for create_arrays. The file may be a kept one; then call restore().
std::unique_ptr<PlacedWriter> npy_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays);
std::unique_ptr<PlacedWriter> npz_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays);
std::unique_ptr<PlacedWriter> hdf5_writer(std::unique_ptr<OutputFile> file,
                                          std::vector<ArraySpec> arrays);
// Bare elements in a kept file, from which finish() makes the JSON.
std::unique_ptr<PlacedWriter> kept_json_writer(std::unique_ptr<OutputFile> file,
                                               std::vector<ArraySpec> arrays);
std::unique_ptr<ArrayWriter> json_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays);

}  // namespace tpinfer::shard
