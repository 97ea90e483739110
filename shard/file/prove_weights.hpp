// The proof that a model's weights are complete and undamaged.
#pragma once

#include <cstddef>

#include "shard/file/model_file.hpp"

namespace tpinfer::shard {

struct Proof {
  std::size_t hashes = 0;        // of whole tensors, proven
  std::size_t slices = 0;        // datasets in shard files, read
  std::size_t slice_hashes = 0;  // of those, proven
};

// Reads every stored byte of every file that is there once. Throws Fault::data naming weight and
// files: elements that no file has, copies that differ, a hash that differs from its manifest's, a
// weight that the model's manifest does not list. At most a few slabs of 4 MiB are in memory.
Proof prove_weights(ModelFile& file);

}  // namespace tpinfer::shard
