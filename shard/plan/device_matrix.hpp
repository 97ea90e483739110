// From a strategy to device matrix and tensor maps: who holds which slice of an operator's tensors,
// in the terms of sharded checkpoints. The meshes of mesh_for() hold the same slices on the same
// ranks.
#pragma once

#include <vector>

#include "shard/layout/tensor_map.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::shard {

// The factors that a strategy may cut (leading ones of the inputs' dimensions), in the order of the
// device matrix: as the dimensions of inputs and outputs follow each other.
//   "m k, k n -> m n": m k n      "n, m n -> m n": m n      "k, b k n -> b n": b k n
std::vector<int> device_order(const Rule& rule);

// One map per input and output, all over the same device matrix: the cuts in device_order, and
// where they use fewer ranks than there are, a last dimension over which the work is repeated.
//   MatMul ((1,4),(4,1)) on 8 ranks: [1,4,1,2], maps [3,2], [2,1] -> [3,1]
// A dimension that is never cut (extent 1, a compound's inner part) has an empty entry.
struct DeviceLayouts {
  std::vector<TensorMap> inputs, outputs;
};
DeviceLayouts device_layouts(const Rule& rule, const FactorCuts& cuts, int ranks);

}  // namespace tpinfer::shard
