#include "shard/layout/box_cover.hpp"

#include <algorithm>
#include <numeric>

namespace tpinfer::shard {
namespace {

// Replaces every box of `rest` by what `what` leaves of it.
void take_away(std::vector<Box>& rest, const Box& what) {
  std::vector<Box> left;
  for (const Box& box : rest) {
    for (Box& part : subtract(box, what)) left.push_back(std::move(part));
  }
  rest = std::move(left);
}

}  // namespace

bool contains(const Box& outer, const Box& inner) {
  if (inner.empty()) return true;
  for (std::size_t d = 0; d < inner.offset.size(); ++d) {
    const std::int64_t begin = inner.offset[d] - outer.offset[d];
    // Both differences, as the sums may leave int64 for boxes out of a file.
    if (begin < 0 || begin > outer.extent[d] || inner.extent[d] > outer.extent[d] - begin) {
      return false;
    }
  }
  return true;
}

std::vector<Box> subtract(const Box& from, const Box& what) {
  const Box common = intersect(from, what);
  if (from.empty()) return {};
  if (common.empty()) return {from};
  std::vector<Box> parts;
  Box rest = from;  // shrinks to `common`, one dimension after the other
  for (std::size_t d = 0; d < from.offset.size(); ++d) {
    const std::int64_t begin = rest.offset[d], end = begin + rest.extent[d];
    const std::int64_t inner_begin = common.offset[d], inner_end = inner_begin + common.extent[d];
    for (const Range range : {Range{begin, inner_begin}, Range{inner_end, end}}) {
      if (range.size() == 0) continue;
      Box part = rest;
      part.offset[d] = range.begin;
      part.extent[d] = range.size();
      parts.push_back(std::move(part));
    }
    rest.offset[d] = inner_begin;
    rest.extent[d] = inner_end - inner_begin;
  }
  return parts;
}

std::vector<Box> uncovered(const Box& box, const std::vector<Box>& by) {
  std::vector<Box> rest;
  if (!box.empty()) rest.push_back(box);
  for (const Box& other : by) {
    if (rest.empty()) break;
    take_away(rest, other);
  }
  return rest;
}

std::vector<Box> without_contained(const std::vector<Box>& boxes) {
  std::vector<Box> kept;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    bool needed = !boxes[i].empty();
    for (std::size_t j = 0; needed && j < boxes.size(); ++j) {
      if (j == i || !contains(boxes[j], boxes[i])) continue;
      needed = boxes[j] == boxes[i] && i < j;  // of equal boxes the first stays
    }
    if (needed) kept.push_back(boxes[i]);
  }
  return kept;
}

Cover cover(const Box& wanted, const std::vector<Offer>& offers) {
  Cover result;
  if (wanted.empty()) return result;
  std::vector<std::int64_t> common(offers.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (!offers[i].there) continue;
    common[i] = element_count(intersect(wanted, offers[i].box).extent);
    if (common[i] > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return common[a] != common[b] ? common[a] > common[b] : offers[a].cost < offers[b].cost;
  });
  result.holes.push_back(wanted);
  for (const std::size_t i : order) {
    if (result.holes.empty()) break;
    for (const Box& hole : result.holes) {
      Box part = intersect(hole, offers[i].box);
      if (!part.empty()) result.parts.push_back({i, std::move(part)});
    }
    take_away(result.holes, offers[i].box);
  }
  return result;
}

void for_each_slab(const Box& box, std::int64_t most_elements,
                   const std::function<void(const Box& slab)>& body) {
  if (box.empty()) return;
  // Dimensions after `cut` are whole in a slab, those before it are one element.
  std::size_t cut = box.extent.size();
  std::int64_t inner = 1;  // elements of the dimensions after `cut`
  while (cut > 0 && (cut == box.extent.size() || inner * box.extent[cut] <= most_elements)) {
    if (cut < box.extent.size()) inner *= box.extent[cut];
    --cut;
  }
  if (box.extent.empty()) return body(box);
  const std::int64_t most = std::max<std::int64_t>(1, most_elements / inner);
  Box slab = box;
  for (std::size_t d = 0; d < cut; ++d) slab.extent[d] = 1;
  const std::int64_t end = box.offset[cut] + box.extent[cut];
  while (true) {
    slab.extent[cut] = std::min(most, end - slab.offset[cut]);
    body(slab);
    slab.offset[cut] += slab.extent[cut];
    if (slab.offset[cut] < end) continue;
    slab.offset[cut] = box.offset[cut];
    std::size_t d = cut;
    while (d > 0 && ++slab.offset[d - 1] == box.offset[d - 1] + box.extent[d - 1]) {
      slab.offset[d - 1] = box.offset[d - 1];
      --d;
    }
    if (d == 0) return;
  }
}

bool is_one_run(const Box& whole, const Box& part) {
  std::size_t d = part.extent.size();
  while (d > 0 && part.extent[d - 1] == whole.extent[d - 1]) --d;
  if (d > 0) --d;  // the one dimension that may be a part of the whole one
  return std::all_of(part.extent.begin(), part.extent.begin() + static_cast<std::ptrdiff_t>(d),
                     [](std::int64_t extent) { return extent == 1; });
}

}  // namespace tpinfer::shard
