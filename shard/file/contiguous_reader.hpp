// Boxes of contiguous datasets, read by their bytes.
#pragma once

#include <cstddef>

#include "kernels/base/box.hpp"
#include "shard/file/model_table.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

// The stored elements of a box that lies inside the dataset and has elements, dense. Reads exactly
// their bytes, one pread per run of the file. Throws what RawFile::read throws, and Fault::data for
// a dataset that was never written.
void read_contiguous(const RawFile& file, const DatasetInfo& info, const Box& box, void* out);

}  // namespace tpinfer::shard
