#include "kernels/math/reduce.hpp"

#include <algorithm>

#include "kernels/base/leaves.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {
namespace {

// Outputs that are summed side by side: neighbours in memory, or whole rows `lane_stride` apart.
constexpr std::int64_t kLanes = 32;

struct Lanes {
  const float* x;
  std::int64_t count;        // 1 to kLanes
  std::int64_t lane_stride;  // elements between lanes
  std::int64_t step;         // elements between terms of a sum
};

// to[l] += the sum of block k of lane l. A multiplication by one is exact: adding is the chain.
template <bool kNeighbours, bool kFull>
void add_block(const Lanes& lanes, Range k, float* to) {
  const std::int64_t count = kFull ? kLanes : lanes.count;
  const std::int64_t stride = kNeighbours ? 1 : lanes.lane_stride;
  float chain[kLanes] = {};
  for (std::int64_t p = k.begin; p < k.end; ++p) {
    const float* term = lanes.x + p * lanes.step;
    for (std::int64_t l = 0; l < count; ++l) chain[l] += term[l * stride];
  }
  for (std::int64_t l = 0; l < count; ++l) to[l] += chain[l];
}

void leaf_sum(const Lanes& lanes, Range k, float* to) {
  const bool neighbours = lanes.lane_stride == 1;
  const bool full = lanes.count == kLanes;
  const auto add = neighbours ? (full ? add_block<true, true> : add_block<true, false>)
                              : (full ? add_block<false, true> : add_block<false, false>);
  std::fill(to, to + lanes.count, 0.0F);
  for (std::int64_t begin = k.begin; begin < k.end; begin += kBlockDepth) {
    add(lanes, {begin, std::min(begin + kBlockDepth, k.end)}, to);
  }
}

void tree_sum(const Lanes& lanes, std::int64_t reduced, Range leaves, float* to) {
  if (leaves.size() == 1) {
    leaf_sum(lanes, leaf_range(reduced, 1, static_cast<int>(leaves.begin)), to);
    return;
  }
  const std::int64_t middle = leaves.begin + leaves.size() / 2;
  float right[kLanes];
  tree_sum(lanes, reduced, {leaves.begin, middle}, to);
  tree_sum(lanes, reduced, {middle, leaves.end}, right);
  for (std::int64_t l = 0; l < lanes.count; ++l) to[l] += right[l];
}

}  // namespace

void reduce_sum(const float* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner,
                float* y) {
  if (reduced == 0) {
    std::fill(y, y + outer * inner, 0.0F);
    return;
  }
  const Range leaves{0, leaf_count(reduced)};
  if (inner == 1) {
    parallel_ranges(outer, kLanes, [&](std::int64_t begin, std::int64_t end) {
      tree_sum({x + begin * reduced, end - begin, reduced, 1}, reduced, leaves, y + begin);
    });
    return;
  }
  const std::int64_t groups = (inner + kLanes - 1) / kLanes;
  parallel_for(outer * groups, [&](std::int64_t i) {
    const std::int64_t row = i / groups;
    const std::int64_t begin = i % groups * kLanes;
    const std::int64_t count = std::min(kLanes, inner - begin);
    tree_sum({x + row * reduced * inner + begin, count, 1, inner}, reduced, leaves,
             y + row * inner + begin);
  });
}

}  // namespace tpinfer::kernels
