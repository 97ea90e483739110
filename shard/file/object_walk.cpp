#include "shard/file/object_walk.hpp"

#include <fmt/format.h>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::shard {

void ObjectWalk::run(Hdf5Id file, const OnDataset& on_dataset) {
  const Hdf5Handle root = open_member(file, "/", "/");
  visit(root.id(), "", 0, on_dataset);
}

void ObjectWalk::visit(Hdf5Id group, const std::string& path, int depth,
                       const OnDataset& on_dataset) {
  const std::string where = path.empty() ? "/" : path;
  if (depth > limits_.depth) {
    fail(Fault::data,
         fmt::format("{}: groups nested deeper than the limit of {}", where, limits_.depth));
  }
  if (!groups_seen_.insert(address_of(group, where)).second) {
    fail(Fault::data, where + ": a second hard link to a group: groups may not form a cycle");
  }
  for (const std::string& name : members_of(group, where, limits_.objects)) {
    const std::string member_path = path + "/" + name;
    if (++objects_ > limits_.objects) {
      fail(Fault::data, fmt::format("{}: more than {} objects", where, limits_.objects));
    }
    beat();
    const Hdf5Handle member = open_member(group, name, member_path);
    if (kind_of(member.id(), member_path) == Hdf5Kind::group) {
      visit(member.id(), member_path, depth + 1, on_dataset);
    } else {
      on_dataset(member.id(), member_path);
    }
  }
}

}  // namespace tpinfer::shard
