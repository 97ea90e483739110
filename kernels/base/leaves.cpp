#include "kernels/base/leaves.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"

namespace tpinfer {
namespace {

std::int64_t middle(Range node) { return node.begin + node.size() / 2; }

void collect_roots(Range node, Range leaves, std::vector<Range>& roots) {
  if (node.end <= leaves.begin || leaves.end <= node.begin) return;
  if (leaves.begin <= node.begin && node.end <= leaves.end) {
    roots.push_back(node);
    return;
  }
  collect_roots({node.begin, middle(node)}, leaves, roots);
  collect_roots({middle(node), node.end}, leaves, roots);
}

}  // namespace

int leaf_count(std::int64_t extent, std::int64_t unit) {
  return static_cast<int>(std::min<std::int64_t>(kMaxLeaves, (extent + unit - 1) / unit));
}

Range leaf_range(std::int64_t extent, std::int64_t unit, int leaf) {
  return split(extent, leaf_count(extent, unit), leaf, unit);
}

Range range_of_leaves(std::int64_t extent, std::int64_t unit, Range leaves) {
  if (leaves.size() <= 0) return {};
  return {leaf_range(extent, unit, static_cast<int>(leaves.begin)).begin,
          leaf_range(extent, unit, static_cast<int>(leaves.end) - 1).end};
}

Range leaves_within(std::int64_t extent, std::int64_t unit, Range k) {
  if (k.size() == 0) return {};
  Range leaves{-1, -1};
  for (int leaf = 0; leaf < leaf_count(extent, unit); ++leaf) {
    const Range range = leaf_range(extent, unit, leaf);
    if (range.begin == k.begin) leaves.begin = leaf;
    if (range.end == k.end) leaves.end = leaf + 1;
  }
  if (leaves.begin < 0 || leaves.end <= leaves.begin) {
    fail(Fault::internal,
         fmt::format("[{},{}) of a sum over {} (units of {}) is not made of whole leaves", k.begin,
                     k.end, extent, unit));
  }
  return leaves;
}

std::vector<Range> roots_of(Range leaves, int leaf_count) {
  std::vector<Range> roots;
  if (leaves.size() > 0) collect_roots({0, leaf_count}, leaves, roots);
  return roots;
}

}  // namespace tpinfer
