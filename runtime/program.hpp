// A plan compiled for one rank: a flat list of steps over places in memory.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/base/view.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::runtime {

// Where a value of the plan lies on this rank.
struct Place {
  enum class Store : std::uint8_t { weights, arena };
  Store store = Store::arena;
  std::size_t offset = 0;  // bytes from the store's start; multiples of 64
  std::size_t bytes = 0;
  DType dtype = DType::f32;
  Box box;  // the rank's part; of a pending sum, of its result
  Shape global;
  int roots = 1;  // a pending sum: [roots][box], one per subtree this rank adds; may be 0
};

// A step reads and writes places; the plan's step of the same index says what it is.
struct Program {
  int rank = 0;
  std::vector<Place> places;  // one per value of the plan
  std::size_t weight_bytes = 0;
  std::size_t arena_bytes = 0;  // activations; places whose lives do not overlap share memory
};

// `fast`: a pending sum is one plain sum instead of roots (--fast).
Program compile(const shard::BoundGraph& graph, const shard::Plan& plan, int rank, bool fast);

// SHA-256 over what all ranks must agree on before they run: the plan, the graph, the arithmetic
// version and `extra` (options that change what is computed).
std::string fingerprint(const shard::BoundGraph& graph, const shard::Plan& plan,
                        const std::string& extra);

// The version of the definition of the bits (docs/determinism.md).
inline constexpr int kArithmeticVersion = 1;

}  // namespace tpinfer::runtime
