// A dataset of a shard file says which part of which tensor it is.
#pragma once

#include <string>

#include "kernels/base/box.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

struct Slice {
  DatasetInfo data;
  std::string weight;  // the tensor's name
  Shape full_shape;    // the tensor's
  Box box;             // the part; its extent is the dataset's shape
};

// Reads the attributes of a dataset (docs/model-format.md): `full_shape` with `offset`, or with
// `dev_matrix` and `tensor_map` (and opt_shard_step, opt_shard_size), or both, which must agree;
// none of them: the whole tensor. `weight` names the tensor, else the dataset's own name does.
// `rank`: of the file; with a device matrix of fewer ranks it counts on inside a pipeline stage.
// Throws Fault::data that begins with the dataset's path.
Slice read_slice(Hdf5Id dataset, const DatasetInfo& data, int rank);

// Throws Fault::data when the dataset calls itself a slice: for files without a rank.
void refuse_slice(Hdf5Id dataset, const std::string& where);

}  // namespace tpinfer::shard
