#include "kernels/math/combine.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/base/error.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::kernels {
namespace {

using test::noise;

TEST(Leaves, AtMostSixteenAndNeverEmpty) {
  EXPECT_EQ(leaf_count(0), 0);
  EXPECT_EQ(leaf_count(1), 1);
  EXPECT_EQ(leaf_count(15), 15);
  EXPECT_EQ(leaf_count(16), 16);
  EXPECT_EQ(leaf_count(4099), 16);
  EXPECT_EQ(leaf_count(96, 8), 12);
  EXPECT_EQ(leaf_count(97, 8), 13);
  for (const std::int64_t unit : {1, 8, 32}) {
    for (std::int64_t extent = 1; extent < 700; ++extent) {
      const int leaves = leaf_count(extent, unit);
      std::int64_t end = 0;
      for (int leaf = 0; leaf < leaves; ++leaf) {
        const Range range = leaf_range(extent, unit, leaf);
        ASSERT_EQ(range.begin, end);
        ASSERT_EQ(range.begin % unit, 0);
        ASSERT_GT(range.size(), 0);
        end = range.end;
      }
      ASSERT_EQ(end, extent);
    }
  }
}

TEST(Leaves, OfARankAreFoundFromItsElements) {
  for (const std::int64_t unit : {1, 8}) {
    const int leaves = leaf_count(784, unit);
    for (int begin = 0; begin < leaves; ++begin) {
      for (int end = begin + 1; end <= leaves; ++end) {
        const Range k = range_of_leaves(784, unit, {begin, end});
        EXPECT_EQ(leaves_within(784, unit, k), (Range{begin, end}));
      }
    }
  }
  EXPECT_EQ(range_of_leaves(784, 1, {0, 0}), (Range{0, 0}));
  EXPECT_EQ(leaves_within(784, 1, {49, 49}).size(), 0);
  EXPECT_EQ(leaves_within(0, 1, {0, 0}).size(), 0);
}

TEST(Leaves, RefusesElementsThatCutALeaf) {
  EXPECT_EQ(leaves_within(784, 1, {49, 98}), (Range{1, 2}));
  for (const Range k : {Range{49, 97}, Range{48, 98}, Range{0, 785}, Range{98, 49}}) {
    try {
      leaves_within(784, 1, k);
      ADD_FAILURE() << "[" << k.begin << "," << k.end << ") was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::internal);
    }
  }
}

TEST(Leaves, RootsOfTheWorkedExample) {
  EXPECT_EQ(roots_of({0, 3}, 10), (std::vector<Range>{{0, 2}, {2, 3}}));
  EXPECT_EQ(roots_of({3, 6}, 10), (std::vector<Range>{{3, 5}, {5, 6}}));
  EXPECT_EQ(roots_of({6, 10}, 10), (std::vector<Range>{{6, 7}, {7, 10}}));
  EXPECT_EQ(roots_of({0, 10}, 10), (std::vector<Range>{{0, 10}}));
  EXPECT_EQ(roots_of({0, 0}, 10), std::vector<Range>{});
  EXPECT_EQ(roots_of({1, 15}, 16),
            (std::vector<Range>{{1, 2}, {2, 4}, {4, 8}, {8, 12}, {12, 14}, {14, 15}}));
}

// docs/determinism.md: 7, 9, 10, 11 roots in all at 3, 5, 6, 7 ranks; one each at powers of two.
TEST(Leaves, NumberOfRootsPerRankCount) {
  const std::vector<std::pair<int, std::size_t>> expected = {
      {1, 1}, {2, 2}, {3, 7}, {4, 4}, {5, 9}, {6, 10}, {7, 11}, {8, 8}, {16, 16}};
  for (const auto& [ranks, total] : expected) {
    std::size_t roots = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<Range> own = roots_of(split(16, ranks, rank), 16);
      EXPECT_LE(own.size(), 3U);
      roots += own.size();
    }
    EXPECT_EQ(roots, total) << ranks << " ranks";
  }
}

float tree_of(const std::vector<float>& leaves, std::size_t begin, std::size_t end) {
  if (end - begin == 1) return leaves[begin];
  const std::size_t middle = begin + (end - begin) / 2;
  return tree_of(leaves, begin, middle) + tree_of(leaves, middle, end);
}

// values[root][element], summed for each root from leaf values by the tree.
std::vector<std::vector<float>> root_values(const std::vector<Range>& roots, int leaves,
                                            std::int64_t count) {
  std::vector<std::vector<float>> values;
  for (const Range& root : roots) {
    std::vector<float>& sums = values.emplace_back();
    for (std::int64_t i = 0; i < count; ++i) {
      sums.push_back(tree_of(noise(static_cast<std::uint32_t>(i), leaves),
                             static_cast<std::size_t>(root.begin),
                             static_cast<std::size_t>(root.end)));
    }
  }
  return values;
}

std::vector<const float*> pointers(const std::vector<std::vector<float>>& values) {
  std::vector<const float*> out;
  for (const auto& value : values) out.push_back(value.data());
  return out;
}

TEST(CombineRoots, IsTheSameTreeForAnyDivision) {
  constexpr std::int64_t kCount = 2051;
  for (const int leaves : {1, 2, 5, 10, 13, 16}) {
    const auto whole = root_values({{0, leaves}}, leaves, kCount);
    for (int parts = 1; parts <= leaves; ++parts) {
      std::vector<Range> roots;
      for (int part = parts - 1; part >= 0; --part) {  // the order of arrival does not matter
        for (const Range root : roots_of(split(leaves, parts, part), leaves)) {
          roots.push_back(root);
        }
      }
      const auto values = root_values(roots, leaves, kCount);
      std::vector<float> out(kCount, -1.0F);
      combine_roots(roots, pointers(values), kCount, out.data());
      EXPECT_EQ(out, whole[0]) << leaves << " leaves in " << parts << " parts";
    }
  }
}

TEST(CombineRoots, OfNothingIsZero) {
  std::vector<float> out(5, -1.0F);
  combine_roots({}, {}, 5, out.data());
  EXPECT_EQ(out, std::vector<float>(5, 0.0F));
}

TEST(CombineRoots, RefusesWhatIsNoTree) {
  const std::vector<std::vector<Range>> wrong = {
      {{0, 2}, {3, 4}},          // a gap
      {{0, 2}, {1, 4}},          // an overlap
      {{1, 4}},                  // the first leaf is missing
      {{0, 1}, {1, 4}},          // [1,4) is no node of a tree of four
      {{0, 4}, {1, 2}},          // a node below another
      {{0, 2}, {0, 2}, {2, 4}},  // twice
      {{0, 17}},                 // more than 16 leaves
  };
  std::vector<float> out(1);
  const std::vector<std::vector<float>> values(3, std::vector<float>(1));
  for (const std::vector<Range>& roots : wrong) {
    std::vector<const float*> data = pointers(values);
    data.resize(roots.size());
    EXPECT_THROW(combine_roots(roots, data, 1, out.data()), Error) << roots.size();
  }
}

}  // namespace
}  // namespace tpinfer::kernels
