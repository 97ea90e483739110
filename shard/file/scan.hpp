// From an untrusted file to a table that the rest of the program may believe.
#pragma once

#include <string>

#include "shard/file/dataset_check.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// Validates a model file (docs/model-format.md) within `limits` and returns its table. Reads
// metadata, strings and a sample of the bytes, no tensor; follows no link to another file. Throws
// Fault::no_input when the file is missing, unreadable or not a regular file, Fault::data with the
// object's path and the reason when it is anything but a good model file.
// The HDF5 library is not safe against hostile files: run this in the preflight helper
// (shard/file/preflight.hpp) unless the file is trusted.
ModelTable scan_model(const std::string& path, const Limits& limits = {});

}  // namespace tpinfer::shard
