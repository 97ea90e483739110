// Ranks as a named grid.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer::shard {

using tpinfer::to_text;  // shapes and boxes print beside meshes and layouts

struct MeshAxis {
  std::string name;
  int size = 1;
  bool operator==(const MeshAxis&) const = default;
};

// A pure value. Ranks are numbered row-major: the last axis varies fastest.
//   {dp: 2, tp: 3}: rank 4 = (dp 1, tp 1)
struct Mesh {
  std::vector<MeshAxis> axes;

  int size() const;
  // One coordinate per axis.
  std::vector<int> coordinates(int rank) const;
  // Number of ranks in a group that spans `axes_of_group` (indices into axes).
  int size_of(const std::vector<int>& axes_of_group) const;
  // The rank's place in that group: row-major over the group's axes.
  int index_in(const std::vector<int>& axes_of_group, int rank) const;
  // The ranks of that rank's group, in the order of index_in.
  std::vector<int> group_of(const std::vector<int>& axes_of_group, int rank) const;
  bool operator==(const Mesh&) const = default;
};

// "tp 8", "dp 2 x tp 4".
std::string to_text(const Mesh& mesh);

}  // namespace tpinfer::shard
