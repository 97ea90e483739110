// What a dataset must be like before its bytes are believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "shard/file/hdf5.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// Every limit on a model file. All are far above what real models have.
struct Limits {
  std::size_t objects = 100'000;
  int depth = 8;                                       // of groups below the root
  int rank = 8;                                        // of a tensor
  std::uint64_t chunks = 1'000'000;                    // of a dataset
  std::uint64_t chunk_bytes = std::uint64_t{1} << 30;  // decoded: HDF5 holds a chunk in memory
  // Decoded bytes allowed per stored byte of a compressed dataset, and on top of that: deflate
  // cannot pass 1032.
  std::uint64_t inflation = 1000;
  std::uint64_t inflation_base_bytes = std::uint64_t{1} << 20;
  std::size_t graph_bytes = std::size_t{64} << 20;  // all graphs together
  bool allow_unallocated = false;                   // datasets without data, for planning only
};

// Throws Fault::data unless the dataset's bytes are inside the file itself, unfiltered or behind
// deflate, shuffle and fletcher32 only. Reads no data, opens no other file.
void check_storage(Hdf5Id dataset, const std::string& where);

// The facts of a numeric dataset, after check_storage. `name` is left empty. Throws Fault::data
// that begins with `path`: a type that tpinfer does not know, a shape or size that the file cannot
// hold.
DatasetInfo examine_dataset(Hdf5Id dataset, const std::string& path, std::uint64_t file_bytes,
                            const Limits& limits);

}  // namespace tpinfer::shard
