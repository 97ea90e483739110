// Boxes made of boxes: differences, covers, slabs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer::shard {

bool contains(const Box& outer, const Box& inner);

// `from` without `what`, as disjoint boxes.
//   [0:4,0:4] without [1:2,0:2] -> [0:1,0:4] [2:4,0:4] [1:2,2:4]
std::vector<Box> subtract(const Box& from, const Box& what);

// The parts of `box` that lie in none of `by`, as disjoint boxes.
std::vector<Box> uncovered(const Box& box, const std::vector<Box>& by);

// `boxes` without empty ones, doubles, and those that lie inside another; order kept.
std::vector<Box> without_contained(const std::vector<Box>& boxes);

// A box that may serve: lower costs are preferred among boxes that serve equally well.
struct Offer {
  Box box;
  int cost = 0;
  bool there = true;  // false: not to be taken
};

struct Cover {
  struct Part {
    std::size_t offer = 0;  // index
    Box box;
  };
  std::vector<Part> parts;  // disjoint
  std::vector<Box> holes;   // what no offer has
};

// Who delivers which part of `wanted`, each element once. One offer that has all of it is taken
// alone, the cheapest such; else those with the largest common part come first.
Cover cover(const Box& wanted, const std::vector<Offer>& offers);

// Calls `body` with parts of `box` of at most `most_elements` elements (at least one), which follow
// each other in C order: each is one run of memory in a dense array of the box.
void for_each_slab(const Box& box, std::int64_t most_elements,
                   const std::function<void(const Box& slab)>& body);

// Whether the elements of `part` follow each other without gaps in a dense array of `whole`.
bool is_one_run(const Box& whole, const Box& part);

}  // namespace tpinfer::shard
