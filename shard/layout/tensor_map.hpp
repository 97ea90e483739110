// Device matrix and tensor map: how sharded checkpoints say who holds which slice. Stored in files,
// never derived again from a strategy (old and new writers order the same strategy differently).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer::shard {

// Ranks are numbered row-major in `dev_matrix` (its last dimension varies fastest). tensor_map[d]
// lists the device dimensions that cut tensor dimension d, major first, counted from the right:
// 0 = the last, k = dev_matrix[size-1-k]; empty = not cut (files write -1). A device dimension that
// no entry names holds copies.
//   dev [2,1,4], map [[1],[0]], (96,16): rank 5 = (1,0,1) holds rows 0:96, columns 4:8
// An optimizer shard divides the slice once more along dimension 0 into opt_shard_size parts; rank
// r holds part (r / opt_shard_step) % opt_shard_size. Size 0 = none, -1 = ranks / step.
//   the above with step 4, size 2: rank 5 holds rows 48:96, columns 4:8
struct TensorMap {
  std::vector<std::int64_t> dev_matrix;
  std::vector<std::vector<int>> tensor_map;
  std::int64_t opt_shard_step = 0;
  std::int64_t opt_shard_size = 0;
  bool operator==(const TensorMap&) const = default;

  std::int64_t ranks() const;  // the product of dev_matrix
};

// The slice of a tensor of shape `full` that `rank` holds. Throws Fault::data, its text beginning
// with `where`, when map and shape do not fit: entries out of range, a device dimension used twice,
// a dimension that the cuts do not divide (naming both numbers), a rank outside the matrix.
Box slice_of(const std::string& where, const TensorMap& map, const Shape& full, std::int64_t rank);

}  // namespace tpinfer::shard
