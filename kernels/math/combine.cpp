#include "kernels/math/combine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"

namespace tpinfer::kernels {
namespace {

constexpr std::int64_t kChunk = 1024;  // elements combined at a time: stays in the L1 cache

std::int64_t middle(Range node) { return node.begin + node.size() / 2; }

// The tree whose lowest nodes are given roots.
class Tree {
 public:
  Tree(std::span<const Range> roots, std::span<const float* const> values) {
    for (std::size_t r = 0; r < roots.size(); ++r) {
      if (roots[r].begin < 0 || roots[r].begin >= kMaxLeaves || values_[roots[r].begin]) broken();
      ends_[roots[r].begin] = roots[r].end;
      values_[roots[r].begin] = values[r];
      leaves_ = std::max(leaves_, roots[r].end);
    }
    if (leaves_ > kMaxLeaves) broken();
    std::size_t visited = 0;
    check({0, leaves_}, visited);
    if (visited != roots.size()) broken();
  }

  void combine(std::int64_t begin, std::int64_t end, float* out) const {
    const float* sum = sum_of({0, leaves_}, begin, end - begin, out + begin);
    if (sum != out + begin) std::copy(sum, sum + (end - begin), out + begin);
  }

 private:
  [[noreturn]] static void broken() {
    fail(Fault::internal, "the partial sums to be combined do not form one tree");
  }

  bool is_root(Range node) const {
    return values_[node.begin] != nullptr && ends_[node.begin] == node.end;
  }

  void check(Range node, std::size_t& visited) const {
    if (is_root(node)) {
      ++visited;
      return;
    }
    if (node.size() < 2) broken();
    check({node.begin, middle(node)}, visited);
    check({middle(node), node.end}, visited);
  }

  // The sum of `node` for `count` elements from `begin` on: a root's own values, or written to
  // `to`.
  const float* sum_of(Range node, std::int64_t begin, std::int64_t count, float* to) const {
    if (is_root(node)) return values_[node.begin] + begin;
    alignas(64) std::array<float, kChunk> right_sum;
    const float* a = sum_of({node.begin, middle(node)}, begin, count, to);
    const float* b = sum_of({middle(node), node.end}, begin, count, right_sum.data());
    for (std::int64_t i = 0; i < count; ++i) to[i] = a[i] + b[i];
    return to;
  }

  std::array<std::int64_t, kMaxLeaves> ends_{};
  std::array<const float*, kMaxLeaves> values_{};
  std::int64_t leaves_ = 0;
};

}  // namespace

void combine_roots(std::span<const Range> roots, std::span<const float* const> values,
                   std::int64_t count, float* out) {
  if (roots.size() != values.size()) {
    fail(Fault::internal, fmt::format("{} partial sums for {} nodes", values.size(), roots.size()));
  }
  if (roots.empty()) {
    std::fill(out, out + count, 0.0F);
    return;
  }
  if (count == 0) return;  // values of nothing may be null pointers
  const Tree tree(roots, values);
  parallel_ranges(count, kChunk,
                  [&](std::int64_t begin, std::int64_t end) { tree.combine(begin, end, out); });
}

}  // namespace tpinfer::kernels
