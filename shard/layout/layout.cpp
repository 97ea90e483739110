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

int Layout::stage() const {
  for (const Placement& p : placements) {
    if (p.kind == Placement::Kind::stage) return p.dim;
  }
  return -1;
}

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

Layout gathered(Layout layout) {
  for (Placement& p : layout.placements) {
    if (p.kind != Placement::Kind::stage) p = {};
  }
  for (Division& division : layout.divisions) division = {};
  return layout;
}

void cut(Layout& layout, const Mesh& mesh, const Shape& shape, int dim,
         const std::vector<int>& axes, Division division) {
  for (int a : axes) {
    layout.placements[static_cast<std::size_t>(a)] = {Placement::Kind::shard, dim};
  }
  const std::int64_t extent = shape[static_cast<std::size_t>(dim)];
  Division even{division.grain, false};
  bool same = true;
  for (int r = 0; division.by_leaf && same && r < mesh.size(); ++r) {
    same = divide(extent, mesh, axes, r, division) == divide(extent, mesh, axes, r, even);
  }
  if (same) division.by_leaf = false;
  layout.divisions[static_cast<std::size_t>(dim)] = division;
}

Range divide(std::int64_t extent, const Mesh& mesh, const std::vector<int>& axes, int rank,
             Division division) {
  const std::vector<std::int64_t> shares = mesh.shares_of(axes);
  const int index = mesh.index_in(axes, rank);
  auto part = [&](std::int64_t all, std::int64_t grain) {
    return shares.empty() ? split(all, mesh.size_of(axes), index, grain)
                          : split_by_shares(all, shares, index, grain);
  };
  if (!division.by_leaf) return part(extent, division.grain);
  const int leaves = leaf_count(extent, division.grain);
  const Range own = part(leaves, 1);
  auto start_of = [&](std::int64_t leaf) {
    return leaf == leaves ? extent
                          : leaf_range(extent, division.grain, static_cast<int>(leaf)).begin;
  };
  return {start_of(own.begin), start_of(own.end)};
}

bool holds(const Layout& layout, const Mesh& mesh, int rank) {
  const int stage = layout.stage();
  if (stage < 0) return true;
  return mesh.coordinates(rank)[static_cast<std::size_t>(mesh.axis(kPipelineAxis))] == stage;
}

Box local_box(const Shape& shape, const Layout& layout, const Mesh& mesh, int rank) {
  if (!holds(layout, mesh, rank)) return {Shape(shape.size(), 0), Shape(shape.size(), 0)};
  Box box = whole_box(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::vector<int> axes = layout.axes_of(static_cast<int>(d));
    if (axes.empty()) continue;
    const Range part = divide(shape[d], mesh, axes, rank, layout.divisions[d]);
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
    if (p.kind == Placement::Kind::stage) text += fmt::format("@{}", p.dim);
    if (p.kind != Placement::Kind::shard) continue;
    text += fmt::format("S{}", p.dim);
    const Division& division = layout.divisions[static_cast<std::size_t>(p.dim)];
    if (division.grain > 1) text += fmt::format("/{}", division.grain);
    if (division.by_leaf) text += "/leaf";
  }
  return text + "]";
}

}  // namespace tpinfer::shard
