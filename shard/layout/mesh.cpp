#include "shard/layout/mesh.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tpinfer::shard {

int Mesh::size() const {
  int ranks = 1;
  for (const MeshAxis& axis : axes) ranks *= axis.size;
  return ranks;
}

int Mesh::axis(std::string_view name) const {
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (axes[a].name == name) return static_cast<int>(a);
  }
  return -1;
}

bool Mesh::free(int axis_index) const {
  const std::string& name = axes[static_cast<std::size_t>(axis_index)].name;
  return name != kPipelineAxis && name != kDataAxis;
}

std::vector<std::int64_t> Mesh::shares_of(const std::vector<int>& axes_of_group) const {
  std::vector<std::int64_t> shares{1};
  bool equal = true;
  for (int a : axes_of_group) {
    const MeshAxis& one = axes[static_cast<std::size_t>(a)];
    equal = equal && one.shares.empty();
    std::vector<std::int64_t> finer;
    for (std::int64_t share : shares) {
      for (int i = 0; i < one.size; ++i) {
        finer.push_back(share * (one.shares.empty() ? 1 : one.shares[static_cast<std::size_t>(i)]));
      }
    }
    shares = std::move(finer);
  }
  return equal ? std::vector<std::int64_t>{} : shares;
}

std::vector<int> Mesh::coordinates(int rank) const {
  std::vector<int> coordinates(axes.size());
  for (std::size_t a = axes.size(); a-- > 0;) {
    coordinates[a] = rank % axes[a].size;
    rank /= axes[a].size;
  }
  return coordinates;
}

int Mesh::size_of(const std::vector<int>& axes_of_group) const {
  int ranks = 1;
  for (int a : axes_of_group) ranks *= axes[static_cast<std::size_t>(a)].size;
  return ranks;
}

int Mesh::index_in(const std::vector<int>& axes_of_group, int rank) const {
  const std::vector<int> at = coordinates(rank);
  int index = 0;
  for (int a : axes_of_group) {
    index = index * axes[static_cast<std::size_t>(a)].size + at[static_cast<std::size_t>(a)];
  }
  return index;
}

std::vector<int> Mesh::group_of(const std::vector<int>& axes_of_group, int rank) const {
  const std::vector<int> at = coordinates(rank);
  std::vector<int> group(static_cast<std::size_t>(size_of(axes_of_group)));
  for (int other = 0; other < size(); ++other) {
    const std::vector<int> there = coordinates(other);
    bool same = true;
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const bool inside = std::find(axes_of_group.begin(), axes_of_group.end(),
                                    static_cast<int>(a)) != axes_of_group.end();
      same = same && (inside || there[a] == at[a]);
    }
    if (same) group[static_cast<std::size_t>(index_in(axes_of_group, other))] = other;
  }
  return group;
}

std::string to_text(const Mesh& mesh) {
  std::string text;
  for (const MeshAxis& axis : mesh.axes) {
    text += fmt::format("{}{} {}", text.empty() ? "" : " x ", axis.name, axis.size);
    if (!axis.shares.empty()) text += fmt::format(" ({})", fmt::join(axis.shares, ":"));
  }
  return text;
}

}  // namespace tpinfer::shard
