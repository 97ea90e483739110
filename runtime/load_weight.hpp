// Fills a rank's part of a weight from the model file.
#pragma once

#include "kernels/base/box.hpp"
#include "shard/file/model_file.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::runtime {

// Reads `box` of the tensor that `view` means (a slice of a dataset, perhaps transposed) into
// `out`, dense. Only that box's elements are read. Throws what ModelFile::read throws.
void load_weight(shard::ModelFile& file, const shard::WeightView& view, const Box& box, void* out);

}  // namespace tpinfer::runtime
