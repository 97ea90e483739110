// Ranks as a named grid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer::shard {

using tpinfer::to_text;  // shapes and boxes print beside meshes and layouts

// Axes have roles by their names: pp = pipeline stages, dp = parts of the batch, all others (tp) =
// parts of tensors.
inline constexpr std::string_view kPipelineAxis = "pp";
inline constexpr std::string_view kDataAxis = "dp";

struct MeshAxis {
  std::string name;
  int size = 1;
  // What share of a cut dimension each coordinate gets (--rank-weights; 0 = idle); empty = equal.
  std::vector<std::int64_t> shares = {};
  bool operator==(const MeshAxis&) const = default;
};

// A pure value. Ranks are numbered row-major: the last axis varies fastest.
//   {dp: 2, tp: 3}: rank 4 = (dp 1, tp 1)
struct Mesh {
  std::vector<MeshAxis> axes;

  int size() const;
  // Index of the axis of that name, or -1.
  int axis(std::string_view name) const;
  // Whether an axis cuts tensors as the planner likes: neither dp nor pp.
  bool free(int axis_index) const;
  // The shares of the parts that a group of axes makes, row-major; empty when all are equal.
  std::vector<std::int64_t> shares_of(const std::vector<int>& axes_of_group) const;
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

// "tp 8", "dp 2 x tp 4", "tp 2 (3:1)" with shares.
std::string to_text(const Mesh& mesh);

}  // namespace tpinfer::shard
