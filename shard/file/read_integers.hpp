// Small integer weights: the values that may decide shapes.
#pragma once

#include <cstdint>
#include <vector>

#include "shard/file/model_file.hpp"

namespace tpinfer::shard {

// All elements of a weight of type int64 or int32. Throws what ModelFile::read throws.
std::vector<std::int64_t> read_integers(ModelFile& file, const TensorInfo& weight);

}  // namespace tpinfer::shard
