// A model file on its way: its structure is written first, its elements follow.
#pragma once

#include <string>
#include <vector>

#include "shard/file/manifest.hpp"
#include "shard/file/structure_writer.hpp"
#include "shard/file/tensor_copy.hpp"

namespace tpinfer::shard {

struct NewFile {
  std::string path, shown;                 // where it is written; what messages call it
  std::vector<Destination> destinations;   // what waits for elements
  std::vector<std::string> dataset_names;  // under /weights, of the first destinations
};

// Known answers, with room for their elements.
void add_examples(StructureWriter& writer, const ModelTable& table, NewFile& file);

// The master over `files`, one per rank, which are called `names` in its folder: virtual datasets,
// known answers, hashes of the whole weights. Scalars and empty weights wait for their elements.
void create_master(const ModelTable& table, const std::string& checkpoint,
                   const std::vector<NewFile>& files, const std::vector<std::string>& names,
                   const Manifest& hashes, NewFile& master);

}  // namespace tpinfer::shard
