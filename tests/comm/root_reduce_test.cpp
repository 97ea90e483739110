#include "comm/root_reduce.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/error.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

// Values whose sum depends on the order: magnitudes from 2^-12 to 2^12, both signs.
float value(std::int64_t root, std::int64_t element) {
  const auto mixed = static_cast<std::uint32_t>(root * 2654435761u + element * 40503u + 12345u);
  const float fraction = static_cast<float>(mixed % 1000003u) / 1000003.0f - 0.5f;
  return std::ldexp(fraction, static_cast<int>(mixed / 7u % 25u) - 12);
}

// The tree over vectors [begin, end): split at the middle.
float tree(std::span<const float* const> vectors, std::int64_t i) {
  if (vectors.size() == 1) return vectors[0][i];
  const std::size_t middle = vectors.size() / 2;
  return tree(vectors.first(middle), i) + tree(vectors.subspan(middle), i);
}

void combine(std::span<const float* const> vectors, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = tree(vectors, i);
}

// `total` roots over the world: contiguous, uneven, none for some ranks when there are too few.
std::vector<int> spread(int total) {
  std::vector<int> roots;
  for (int r = 0; r < world().size(); ++r) {
    roots.push_back(static_cast<int>(split(total, world().size(), r).size()));
  }
  return roots;
}

std::vector<float> reduce(const std::vector<int>& roots, std::int64_t elements, ReducePath path) {
  std::int64_t first = 0;
  const auto me = static_cast<std::size_t>(world().rank());
  for (std::size_t r = 0; r < me; ++r) first += roots[r];
  std::vector<float> mine;
  for (std::int64_t root = first; root < first + roots[me]; ++root) {
    for (std::int64_t i = 0; i < elements; ++i) mine.push_back(value(root, i));
  }
  std::vector<float> out(static_cast<std::size_t>(elements), -1.0f);
  std::vector<std::byte> scratch(all_reduce_scratch_bytes(world(), roots, elements, path));
  all_reduce(world(), mine.data(), roots, elements, combine, out.data(), scratch, path);
  return out;
}

std::vector<float> expected(int total, std::int64_t elements) {
  std::vector<std::vector<float>> all(static_cast<std::size_t>(total));
  std::vector<const float*> vectors;
  for (std::size_t root = 0; root < all.size(); ++root) {
    for (std::int64_t i = 0; i < elements; ++i) {
      all[root].push_back(value(static_cast<std::int64_t>(root), i));
    }
    vectors.push_back(all[root].data());
  }
  std::vector<float> out(static_cast<std::size_t>(elements));
  combine(vectors, elements, out.data());
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

TEST(RootReduce, BothWaysGiveTheBitsOfOneRank) {
  for (const int total : {1, 2, 3, 7, 16, 23}) {
    for (const std::int64_t elements : {0, 1, 2, 7, 33, 1000}) {
      const std::vector<float> want = expected(total, elements);
      for (const ReducePath path :
           {ReducePath::automatic, ReducePath::gathered, ReducePath::sliced}) {
        EXPECT_TRUE(same_bits(reduce(spread(total), elements, path), want))
            << total << " roots, " << elements << " elements, path " << static_cast<int>(path);
      }
    }
  }
}

TEST(RootReduce, AllRootsOnTheLastRank) {
  std::vector<int> roots(static_cast<std::size_t>(world().size()), 0);
  roots.back() = 5;
  for (const ReducePath path : {ReducePath::gathered, ReducePath::sliced}) {
    EXPECT_TRUE(same_bits(reduce(roots, 19, path), expected(5, 19)));
  }
}

TEST(RootReduce, LargeSumsAreSliced) {
  const std::vector<int> roots = spread(16);
  const std::int64_t elements = 4096;  // 16 roots x 16 KiB: at the threshold
  const auto bytes = [&](std::int64_t n, ReducePath path) {
    return all_reduce_scratch_bytes(world(), roots, n, path);
  };
  const ReducePath large = world().size() > 2 ? ReducePath::sliced : ReducePath::gathered;
  EXPECT_EQ(bytes(elements, ReducePath::automatic), bytes(elements, large));
  EXPECT_EQ(bytes(elements - 1, ReducePath::automatic), bytes(elements - 1, ReducePath::gathered));

  const auto calls = world().counters().calls;
  EXPECT_TRUE(same_bits(reduce(roots, elements, ReducePath::automatic), expected(16, elements)));
  const int want = world().size() == 1 ? 0 : world().size() == 2 ? 1 : 2;
  EXPECT_EQ(world().counters().calls - calls, want);
}

TEST(RootReduce, RefusesTooLittleScratchAndNoRoots) {
  std::vector<float> data(8), out(8);
  EXPECT_THROW(all_reduce(world(), data.data(), spread(0), 8, combine, out.data(), {}), Error);
  if (world().size() == 1) return;  // needs none
  EXPECT_THROW(all_reduce(world(), data.data(), spread(world().size()), 8, combine, out.data(), {}),
               Error);
}

}  // namespace
}  // namespace tpinfer::comm
