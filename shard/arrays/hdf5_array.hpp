// Reading one dataset of an HDF5 file, row by row.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shard/arrays/array_reader.hpp"

namespace tpinfer::shard {

// Opens the dataset at `dataset` ("/group/name"); when that is empty, the one in the root group
// called `preferred_name`, else the only one. Only hard links are followed. Throws Fault::data
// for anything but a stored array of numbers: external or virtual storage, filters other than
// deflate, shuffle and fletcher32, missing chunks, other element types.
std::unique_ptr<ArrayReader> open_hdf5_array(const std::string& path, std::uint64_t file_bytes,
                                             const std::string& dataset,
                                             const std::string& preferred_name);

}  // namespace tpinfer::shard
