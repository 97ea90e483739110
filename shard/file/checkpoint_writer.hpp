// Writes whole models: one file per rank with a master over them, or one file.
#pragma once

#include <functional>
#include <string>

#include "shard/file/model_file.hpp"
#include "shard/layout/tensor_cuts.hpp"

namespace tpinfer::shard {

// Both stream (shard/file/tensor_copy.hpp): never a whole tensor is in memory, each byte of the
// source is read once. Stored types, graphs and known answers stay what they are; hashes are
// written for whole weights and for every slice. Equal contents give equal bytes. What is written
// appears whole or not at all. `on_slab` is called now and then, and may throw to stop.
// They throw what copy_tensors throws, Fault::cannot_create and Fault::io.

// folder/<stem>.h5, the master, and folder/<stem><rank>.h5. The folder is made; it may exist when
// it is empty. Throws Fault::usage for a stem that is no name of a file.
void write_checkpoint(ModelFile& source, const std::string& folder, const std::string& stem,
                      const CheckpointCuts& cuts, const std::function<void()>& on_slab);

void write_one_file(ModelFile& source, const std::string& path,
                    const std::function<void()>& on_slab);

}  // namespace tpinfer::shard
