#include "comm/root_reduce.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

// Below this the second collective costs more than the bytes it saves (docs/determinism.md).
constexpr std::int64_t kSlicedFromBytes = 256 * 1024;
constexpr std::int64_t kFloatBytes = sizeof(float);

std::int64_t total_roots(std::span<const int> roots) {
  return std::accumulate(roots.begin(), roots.end(), std::int64_t{0});
}

ReducePath choose(int ranks, std::int64_t roots, std::int64_t elements, ReducePath path) {
  if (path != ReducePath::automatic) return path;
  const bool large = roots * elements * kFloatBytes >= kSlicedFromBytes;
  return ranks > 2 && large ? ReducePath::sliced : ReducePath::gathered;
}

// Floats of scratch on the sliced path, in this order.
struct SlicedScratch {
  std::int64_t packed;    // own roots, slice by slice; none when there is one root: it is in order
  std::int64_t pieces;    // all roots' parts of the own slice
  std::int64_t combined;  // the own slice of the result
};

SlicedScratch sliced_scratch(int ranks, int rank, std::span<const int> roots,
                             std::int64_t elements) {
  const std::int64_t own_roots = roots[static_cast<std::size_t>(rank)];
  const std::int64_t slice = split(elements, ranks, rank).size();
  return {own_roots > 1 ? own_roots * elements : 0, total_roots(roots) * slice, slice};
}

std::vector<const float*> rows(const float* first, std::int64_t count, std::int64_t stride) {
  std::vector<const float*> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(first + i * stride);
  return out;
}

void reduce_gathered(Communicator& group, const float* mine, std::span<const int> roots,
                     std::int64_t elements, const Combine& combine, float* out, float* all) {
  std::vector<std::size_t> bytes;
  for (const int n : roots) bytes.push_back(static_cast<std::size_t>(n * elements * kFloatBytes));
  group.all_gather(mine, bytes, all);
  combine(rows(all, total_roots(roots), elements), elements, out);
}

// own roots x elements -> for each rank: own roots x its slice.
void pack(const float* mine, std::int64_t own_roots, std::int64_t elements, int ranks,
          float* packed) {
  for (int r = 0; r < ranks; ++r) {
    const Range slice = split(elements, ranks, r);
    for (std::int64_t root = 0; root < own_roots; ++root) {
      const float* row = mine + root * elements;
      packed = std::copy(row + slice.begin, row + slice.end, packed);
    }
  }
}

void reduce_sliced(Communicator& group, const float* mine, std::span<const int> roots,
                   std::int64_t elements, const Combine& combine, float* out, float* scratch) {
  const int ranks = group.size();
  const SlicedScratch need = sliced_scratch(ranks, group.rank(), roots, elements);
  float* pieces = scratch + need.packed;
  float* combined = pieces + need.pieces;
  const std::int64_t own_roots = roots[static_cast<std::size_t>(group.rank())];
  const float* send = mine;
  if (own_roots > 1) {
    pack(mine, own_roots, elements, ranks, scratch);
    send = scratch;
  }

  std::vector<std::size_t> send_bytes, receive_bytes, slice_bytes;
  for (int r = 0; r < ranks; ++r) {
    const std::int64_t bytes = split(elements, ranks, r).size() * kFloatBytes;
    const std::int64_t their_roots = roots[static_cast<std::size_t>(r)];
    slice_bytes.push_back(static_cast<std::size_t>(bytes));
    send_bytes.push_back(static_cast<std::size_t>(own_roots * bytes));
    receive_bytes.push_back(static_cast<std::size_t>(their_roots * need.combined * kFloatBytes));
  }
  group.all_to_all(send, send_bytes, pieces, receive_bytes);
  if (need.combined > 0) {
    combine(rows(pieces, total_roots(roots), need.combined), need.combined, combined);
  }
  group.all_gather(combined, slice_bytes, out);
}

}  // namespace

std::size_t all_reduce_scratch_bytes(const Communicator& group, std::span<const int> roots_per_rank,
                                     std::int64_t elements, ReducePath path) {
  const std::int64_t roots = total_roots(roots_per_rank);
  if (group.size() == 1 || elements == 0) return 0;
  std::int64_t floats = roots * elements;
  if (choose(group.size(), roots, elements, path) == ReducePath::sliced) {
    const SlicedScratch need = sliced_scratch(group.size(), group.rank(), roots_per_rank, elements);
    floats = need.packed + need.pieces + need.combined;
  }
  return static_cast<std::size_t>(floats * kFloatBytes);
}

void all_reduce(Communicator& group, const float* mine, std::span<const int> roots_per_rank,
                std::int64_t elements, const Combine& combine, float* out,
                std::span<std::byte> scratch, ReducePath path) {
  const std::int64_t roots = total_roots(roots_per_rank);
  const std::size_t need = all_reduce_scratch_bytes(group, roots_per_rank, elements, path);
  if (roots_per_rank.size() != static_cast<std::size_t>(group.size()) || roots < 1 ||
      elements < 0 || scratch.size() < need) {
    fail(Fault::internal,
         fmt::format("all-reduce of {} roots x {} elements over {} of {} ranks "
                     "with {} of {} bytes of scratch",
                     roots, elements, roots_per_rank.size(), group.size(), scratch.size(), need));
  }
  if (elements == 0) return;
  auto* floats = reinterpret_cast<float*>(scratch.data());
  if (group.size() == 1) {
    combine(rows(mine, roots, elements), elements, out);
  } else if (choose(group.size(), roots, elements, path) == ReducePath::sliced) {
    reduce_sliced(group, mine, roots_per_rank, elements, combine, out, floats);
  } else {
    reduce_gathered(group, mine, roots_per_rank, elements, combine, out, floats);
  }
}

}  // namespace tpinfer::comm
