// Virtual datasets: tensors whose elements are in other files. Only their mappings are looked at;
// HDF5 never reads through them (a missing file would be zeros, silently).
#pragma once

#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "shard/file/dataset_check.hpp"
#include "shard/file/hdf5.hpp"

namespace tpinfer::shard {

struct Mapping {
  std::string file;     // a name in the master's own folder
  std::string dataset;  // its path there
  Box box;              // of the tensor
  Shape at;             // where the box begins in the dataset
};

struct VirtualTensor {
  std::string name;  // "fc1"
  std::string path;  // "/weights/fc1"
  DType stored = DType::f32;
  Shape shape;
  std::vector<Mapping> mappings;
};

bool is_virtual(Hdf5Id dataset, const std::string& where);

// The mappings of a virtual dataset. Throws Fault::data that begins with `path`: a file outside the
// folder or the master itself, a selection that is not one block, blocks of different shapes, and
// what is wrong with type and shape of any dataset.
VirtualTensor read_virtual(Hdf5Id dataset, const std::string& path, const std::string& name,
                           const Limits& limits);

}  // namespace tpinfer::shard
