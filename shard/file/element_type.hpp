// Element types between HDF5 and tpinfer.
#pragma once

#include <string>

#include "kernels/base/dtype.hpp"
#include "shard/file/hdf5.hpp"

namespace tpinfer::shard {

// The type of a dataset's elements: IEEE floats and integers, little-endian, without padding bits;
// h5py's booleans (an enumeration over int8); uint16 with the attribute dtype = "bf16". Throws
// Fault::data naming what is there instead.
DType element_type(Hdf5Id dataset, const std::string& where);

// The HDF5 type that stores `dtype`; bfloat16 is uint16.
Hdf5Handle hdf5_type(DType dtype);

}  // namespace tpinfer::shard
