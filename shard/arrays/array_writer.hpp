// Arrays that the program hands back, in a file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

struct ArraySpec {
  std::string name;
  DType dtype = DType::f32;  // any but f16 and bf16, which are no types of outputs
  Shape shape;               // of the finished array
};

// Writes several arrays at once, each by rows from first to last. An older file at the target
// stays untouched until finish(). Destroyed without finish(): nothing is left.
class ArrayWriter {
 public:
  virtual ~ArrayWriter() = default;

  // The next `rows` rows (along dimension 0; a scalar is one row) of array `output`: dense, C
  // order. Throws Fault::io when the disk is full or writing fails, Fault::internal for too many
  // rows.
  virtual void append(std::size_t output, const void* data, std::int64_t rows) = 0;

  // To disk, then into place. Throws Fault::io; Fault::internal when rows are missing.
  virtual void finish() = 0;
};

// An ArrayWriter whose rows outlive the process, in kept_path(target), where a later process goes
// on. Destroyed without finish(): the file stays if it was there
// before or keep() was called.
class KeptArrays : public ArrayWriter {
 public:
  // Rows appended so far, to disk. Throws Fault::io.
  virtual void save() = 0;
  // From now on the file stays when this process ends.
  virtual void keep() = 0;

  // Rows [rows.begin, rows.end) of array `output`, of those that were written. Throws Fault::data
  // when the file is too short, Fault::io when reading fails.
  virtual void read_rows(std::size_t output, Range rows, void* out) = 0;
};

// Starts the file `path`; its extension chooses the format:
//   .npy        NumPy, exactly one array
//   .npz        NumPy, an uncompressed archive of "<name>.npy"
//   .h5, .hdf5  one contiguous dataset "/<name>" each
//   .json       {"schema": 1, "outputs": {"<name>": {"dtype": "float32", "shape": [2, 3],
//               "data": [flat: numbers, true, false, "nan", "inf", "-inf"]}}}
// Throws Fault::usage for another extension, or for several arrays in .npy; Fault::cannot_create
// when the file cannot be created there; Fault::io when the disk has no room for it.
std::unique_ptr<ArrayWriter> create_arrays(const std::string& path, std::vector<ArraySpec> arrays);

class OutputFile;

// The same in a kept file (OutputFile::Naming::kept or in_place), with rows_done[i] rows of array i
// in it already. Throws also Fault::data when the file is shorter than that or is no such file.
std::unique_ptr<KeptArrays> keep_arrays(std::unique_ptr<OutputFile> file,
                                        std::vector<ArraySpec> arrays,
                                        const std::vector<std::int64_t>& rows_done);

// Whether finish() turns the kept file of this path into the target itself; false: it makes the
// target from it, and the kept file remains (.json).
bool kept_becomes_target(const std::string& path);

}  // namespace tpinfer::shard
