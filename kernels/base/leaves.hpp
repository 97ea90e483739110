// The tree of a sum over a long axis (docs/determinism.md): the axis is divided into at most 16
// leaves, and leaf sums are added along one binary tree, whoever computed them.
//
// Worked example, 10 leaves, ranks owning [0,3) [3,6) [6,10):
//
//            [0,10)
//        [0,5)      [5,10)           a node [lo,hi) splits at lo + (hi-lo)/2
//     [0,2)[2,5)  [5,7)[7,10)
//           ...
//
//   rank 0 sends the roots [0,2) [2,3), rank 1 [3,5) [5,6), rank 2 [6,7) [7,10);
//   whoever receives all six combines them along the tree and has the bits of one rank's sum.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer {

// A sum has at most this many leaves; a part of a cut sum is whole leaves.
inline constexpr std::int64_t kMaxLeaves = 16;

// Leaves of an axis of `extent` elements that may be cut only at multiples of `unit`:
// min(16, ceil(extent/unit)); 0 for an empty axis.
int leaf_count(std::int64_t extent, std::int64_t unit = 1);

// The elements of leaf `leaf`. Never empty.
Range leaf_range(std::int64_t extent, std::int64_t unit, int leaf);

// The elements of the leaves [leaves.begin, leaves.end): what a rank owning them holds.
Range range_of_leaves(std::int64_t extent, std::int64_t unit, Range leaves);

// The inverse: the leaves that the elements `k` consist of. Empty ({0,0}) for an empty k.
// Throws Fault::internal when k does not begin and end on leaf boundaries.
Range leaves_within(std::int64_t extent, std::int64_t unit, Range k);

// The tree's largest nodes that lie inside `leaves`, in ascending order: what a rank owning these
// leaves sends. One for all the leaves, or for an aligned power of two of 16; at most 6 of 16.
std::vector<Range> roots_of(Range leaves, int leaf_count);

}  // namespace tpinfer
