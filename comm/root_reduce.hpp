// The sum whose bits do not depend on the number of ranks (docs/determinism.md): ranks send the
// roots of their subtrees, and every element is combined by one fixed tree wherever that happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

// Sets out[i], 0 <= i < count, from vectors[..][i]: all ranks' roots in rank order. Must be a
// function of the elements at i alone, for a slice may be combined on any rank.
using Combine =
    std::function<void(std::span<const float* const> vectors, std::int64_t count, float* out)>;

// How the roots travel; both ways give the same bits.
//   gathered: every rank receives all roots and combines all elements; one collective
//   sliced:   every rank receives its slice of all roots, combines it, and the slices are
//             gathered; two collectives, but (roots / ranks + 1) instead of `roots` vectors moved
// automatic: sliced when there are more than 2 ranks and all roots together hold 256 KiB or more.
// Chosen by sizes alone, never by timing, so that all ranks choose alike.
enum class ReducePath { automatic, gathered, sliced };

// Bytes of scratch that all_reduce needs on this rank.
std::size_t all_reduce_scratch_bytes(const Communicator& group, std::span<const int> roots_per_rank,
                                     std::int64_t elements,
                                     ReducePath path = ReducePath::automatic);

// mine: roots_per_rank[rank] x elements (a rank may have none); out: elements, equal on all ranks.
// The buffers must not overlap; scratch must be aligned for float. At least one root over all
// ranks. Fewer elements than ranks, and none at all, are fine. Collective.
//   3 ranks, roots {2,0,1}: rank 0 gives a, b; rank 2 gives c; all get combine({a,b,c})
void all_reduce(Communicator& group, const float* mine, std::span<const int> roots_per_rank,
                std::int64_t elements, const Combine& combine, float* out,
                std::span<std::byte> scratch, ReducePath path = ReducePath::automatic);

}  // namespace tpinfer::comm
