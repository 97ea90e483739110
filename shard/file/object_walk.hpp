// A walk over the objects of an HDF5 file, one hard link at a time, within limits.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "shard/file/dataset_check.hpp"
#include "shard/file/hdf5.hpp"

namespace tpinfer::shard {

// H5Ovisit is super-linear in the depth and follows what it likes; this walk counts the objects and
// the depth, refuses soft and external links and a group that contains itself.
class ObjectWalk {
 public:
  // Called for every dataset: its handle and its path ("/weights/a/b").
  using OnDataset = std::function<void(Hdf5Id dataset, const std::string& path)>;

  explicit ObjectWalk(const Limits& limits) : limits_(limits) {}
  // Throws Fault::data naming the path.
  void run(Hdf5Id file, const OnDataset& on_dataset);

 private:
  void visit(Hdf5Id group, const std::string& path, int depth, const OnDataset& on_dataset);

  const Limits& limits_;
  std::size_t objects_ = 0;
  std::set<std::uint64_t> groups_seen_;
};

}  // namespace tpinfer::shard
