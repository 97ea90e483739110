#include "shard/layout/layout.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/leaves.hpp"

namespace tpinfer::shard {
bool Layout::replicated() const {
  return std::all_of(placements.begin(), placements.end(),
                     [](const Placement& p) { return p.kind == Placement::Kind::replicate; });
}

bool Layout::partial() const { return !partial_axes().empty(); }

std::vector<int> Layout::axes_of(int dim) const {
  std::vector<int> axes;
  for (std::size_t a = 0; a < placements.size(); ++a) {
    if (placements[a].kind == Placement::Kind::shard && placements[a].dim == dim) {
      axes.push_back(static_cast<int>(a));
    }
  }
  return axes;
}

std::vector<int> Layout::partial_axes() const {
  std::vector<int> axes;
  for (std::size_t a = 0; a < placements.size(); ++a) {
    if (placements[a].kind == Placement::Kind::partial) axes.push_back(static_cast<int>(a));
  }
  return axes;
}

Layout replicate(const Mesh& mesh, std::size_t dims) {
  return {std::vector<Placement>(mesh.axes.size()), std::vector<Division>(dims)};
}

void cut(Layout& layout, const Mesh& mesh, const Shape& shape, int dim,
         const std::vector<int>& axes, Division division) {
  for (int a : axes) {
    layout.placements[static_cast<std::size_t>(a)] = {Placement::Kind::shard, dim};
  }
  const std::int64_t extent = shape[static_cast<std::size_t>(dim)];
  const int parts = mesh.size_of(axes);
  Division even{division.grain, false};
  bool same = true;
  for (int i = 0; division.by_leaf && i < parts; ++i) {
    same = same && divide(extent, parts, i, division) == divide(extent, parts, i, even);
  }
  if (same) division.by_leaf = false;
  layout.divisions[static_cast<std::size_t>(dim)] = division;
}

Range divide(std::int64_t extent, int parts, int index, Division division) {
  if (!division.by_leaf) return split(extent, parts, index, division.grain);
  const int leaves = leaf_count(extent, division.grain);
  const Range own = split(leaves, parts, index);
  auto start_of = [&](std::int64_t leaf) {
    return leaf == leaves ? extent
                          : leaf_range(extent, division.grain, static_cast<int>(leaf)).begin;
  };
  return {start_of(own.begin), start_of(own.end)};
}

Box local_box(const Shape& shape, const Layout& layout, const Mesh& mesh, int rank) {
  Box box = whole_box(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::vector<int> axes = layout.axes_of(static_cast<int>(d));
    if (axes.empty()) continue;
    const Range part =
        divide(shape[d], mesh.size_of(axes), mesh.index_in(axes, rank), layout.divisions[d]);
    box.offset[d] = part.begin;
    box.extent[d] = part.size();
  }
  return box;
}

std::string to_text(const Layout& layout) {
  std::string text = "[";
  for (const Placement& p : layout.placements) {
    if (text.size() > 1) text += " ";
    if (p.kind == Placement::Kind::replicate) text += "R";
    if (p.kind == Placement::Kind::partial) text += "P";
    if (p.kind != Placement::Kind::shard) continue;
    text += fmt::format("S{}", p.dim);
    const Division& division = layout.divisions[static_cast<std::size_t>(p.dim)];
    if (division.grain > 1) text += fmt::format("/{}", division.grain);
    if (division.by_leaf) text += "/leaf";
  }
  return text + "]";
}

}  // namespace tpinfer::shard
