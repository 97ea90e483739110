// The first bytes of a file, looked at before the HDF5 library sees it.
#pragma once

#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

// Throws Fault::data that says what the file is instead ("not an HDF5 file (0 bytes)"), or that it
// is cut off: shorter than its superblock says. Bytes after the end are accepted.
void check_superblock(const RawFile& file);

bool has_hdf5_signature(const RawFile& file);

}  // namespace tpinfer::shard
