// From an untrusted file to a table that the rest of the program may believe.
#pragma once

#include <string>

#include "shard/file/dataset_check.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// Validates a model in any form that --model takes (shard/file/model_set.hpp) within `limits` and
// returns its table. Reads metadata, strings, a sample of the bytes and the small integer weights
// that may decide shapes; follows no link to another file. Throws Fault::no_input when a file is
// missing, unreadable or not a regular file, Fault::data with file, object and reason when it is
// anything but a good model; that elements are missing only when no file is.
// The HDF5 library is not safe against hostile files: run this in the preflight helper
// (shard/file/preflight.hpp) unless the file is trusted.
ModelTable scan_model(const std::string& path, const Limits& limits = {});

}  // namespace tpinfer::shard
