// How the tensors of a sharded checkpoint are divided over its files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "shard/layout/tensor_map.hpp"

namespace tpinfer::shard {

struct TensorCuts {
  std::vector<std::vector<Box>> boxes;  // per rank; together they hold every element
  std::optional<TensorMap> map;         // set when it says the same as the boxes
};

struct CheckpointCuts {
  int ranks = 1;
  std::map<std::string, TensorCuts> weights;  // by name, every weight of the model
};

// Whether `map` gives every rank of `boxes` exactly its box.
bool says_the_same(const TensorMap& map, const Shape& shape,
                   const std::vector<std::vector<Box>>& boxes);

}  // namespace tpinfer::shard
