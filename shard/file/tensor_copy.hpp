// Tensors on their way from one model into other files, slab by slab.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "shard/file/data_file.hpp"
#include "shard/file/model_file.hpp"

namespace tpinfer::shard {

// A part of a tensor and the dataset, with room for it, that it goes to.
struct Destination {
  std::string path;  // of the tensor in the source: "/weights/fc1"
  Box box;
  DataFile* file = nullptr;
  std::uint64_t offset = 0;  // of the dataset's first byte
  std::string hash;          // set by copy_tensors: SHA-256 of what was written
};

// Copies the stored elements of every tensor that a destination names. Each of its bytes is read
// once, whatever is made of it; beside the files' own buffers at most three slabs of 4 MiB are in
// memory. `on_slab` is called after each slab, and may throw to stop. Returns the SHA-256 of the
// whole tensors by path. Throws what ModelFile::read and DataFile::write_at throw, and Fault::data
// when a tensor is not what the source's manifest says.
std::map<std::string, std::string> copy_tensors(ModelFile& source,
                                                std::vector<Destination>& destinations,
                                                const std::function<void()>& on_slab);

}  // namespace tpinfer::shard
