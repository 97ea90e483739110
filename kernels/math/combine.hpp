// Adds partial sums along the tree of leaves (kernels/base/leaves.hpp), whoever computed them.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/leaves.hpp"

namespace tpinfer::kernels {

// Adds the values of `roots` (nodes of the tree, in any order, which together are all its leaves)
// along the tree, elementwise: out[i] for 0 <= i < count. values[r] belongs to roots[r]; `out` must
// not overlap them. Without roots (an empty axis) `out` becomes +0; without elements nothing is
// looked at. Throws Fault::internal when the roots are not a division of one tree.
void combine_roots(std::span<const Range> roots, std::span<const float* const> values,
                   std::int64_t count, float* out);

}  // namespace tpinfer::kernels
