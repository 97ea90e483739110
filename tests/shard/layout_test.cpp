// local_box divides tensors: every element on exactly one rank of the axes that cut it.
#include "shard/layout/layout.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/base/leaves.hpp"

namespace tpinfer::shard {
namespace {

// How many ranks hold each element, counted one by one.
std::vector<int> holders(const Shape& shape, const Layout& layout, const Mesh& mesh) {
  std::vector<int> count(static_cast<std::size_t>(element_count(shape)));
  const Shape strides = strides_of(shape);
  for (int rank = 0; rank < mesh.size(); ++rank) {
    const Box box = local_box(shape, layout, mesh, rank);
    for (std::int64_t i = 0; i < element_count(box.extent); ++i) {
      std::int64_t rest = i, at = 0;
      for (std::size_t d = shape.size(); d-- > 0;) {
        at += (box.offset[d] + rest % box.extent[d]) * strides[d];
        rest /= box.extent[d];
      }
      ++count[static_cast<std::size_t>(at)];
    }
  }
  return count;
}

void expect_divided(const Shape& shape, const Layout& layout, const Mesh& mesh) {
  int copies = 1;  // of every element: the axes that do not cut
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    if (layout.placements[a].kind != Placement::Kind::shard) copies *= mesh.axes[a].size;
  }
  for (int count : holders(shape, layout, mesh)) {
    ASSERT_EQ(count, copies) << to_text(shape) << to_text(layout) << " on " << to_text(mesh);
  }
}

TEST(Layout, EveryElementOnceOnOneToThirteenRanks) {
  for (int ranks = 1; ranks <= 13; ++ranks) {
    const Mesh mesh{{{"tp", ranks}}};
    for (const Shape& shape : {Shape{7, 5}, {1, 3}, {40, 2}, {2, 0}, {48, 1}}) {
      for (int dim : {0, 1}) {
        for (std::int64_t grain : {1, 3, 8}) {
          for (bool by_leaf : {false, true}) {
            Layout layout = replicate(mesh, shape.size());
            cut(layout, mesh, shape, dim, {0}, {grain, by_leaf});
            expect_divided(shape, layout, mesh);
          }
        }
      }
    }
  }
}

TEST(Layout, EveryElementOnceWithTwoAxes) {
  for (const Mesh& mesh : {Mesh{{{"a", 2}, {"b", 3}}}, Mesh{{{"a", 3}, {"b", 2}}},
                           Mesh{{{"a", 4}, {"b", 1}}}, Mesh{{{"a", 2}, {"b", 2}, {"c", 3}}}}) {
    for (const Shape& shape : {Shape{6, 8}, {5, 7}, {1, 2}, {33, 3}}) {
      Layout both = replicate(mesh, 2), apart = both, one = both;
      cut(both, mesh, shape, 0, {0, 1}, {1, true});
      cut(apart, mesh, shape, 1, {0}, {2, false});
      cut(apart, mesh, shape, 0, {1}, {1, false});
      cut(one, mesh, shape, 1, {1}, {1, false});
      for (const Layout& layout : {both, apart, one}) expect_divided(shape, layout, mesh);
    }
  }
}

// The header's example, and the first axis major on a doubly cut dimension.
TEST(Layout, WorkedExamples) {
  const Mesh mesh{{{"a", 2}, {"b", 3}}};
  Layout layout = replicate(mesh, 2);
  cut(layout, mesh, {6, 8}, 1, {0}, {});
  cut(layout, mesh, {6, 8}, 0, {1}, {});
  EXPECT_EQ(to_text(layout), "[S1 S0]");
  EXPECT_EQ(to_text(local_box({6, 8}, layout, mesh, 4)), "[2:4,4:8]");
  Layout rows = replicate(mesh, 1);
  cut(rows, mesh, {12}, 0, {0, 1}, {});
  EXPECT_EQ(rows.axes_of(0), (std::vector<int>{0, 1}));
  EXPECT_EQ(to_text(local_box({12}, rows, mesh, 4)), "[8:10]");
}

TEST(Layout, GrainsAndLeaves) {
  const Mesh mesh{{{"tp", 3}}};
  Layout grains = replicate(mesh, 1);
  cut(grains, mesh, {24}, 0, {0}, {8, false});
  EXPECT_EQ(to_text(grains), "[S0/8]");
  // 100 elements are 16 leaves; 3 ranks own leaves 0-4, 5-9, 10-15.
  Layout leaves = replicate(mesh, 1);
  cut(leaves, mesh, {100}, 0, {0}, {1, true});
  EXPECT_EQ(to_text(leaves), "[S0/leaf]");
  const Box middle = local_box({100}, leaves, mesh, 1);
  EXPECT_EQ(middle.offset[0], leaf_range(100, 1, 5).begin);
  EXPECT_EQ(middle.offset[0] + middle.extent[0], leaf_range(100, 1, 9).end);
  for (int rank = 0; rank < 3; ++rank) {
    const Box box = local_box({100}, leaves, mesh, rank);
    EXPECT_NO_THROW(leaves_within(100, 1, {box.offset[0], box.offset[0] + box.extent[0]}));
  }
}

// Cutting 96 into 8 parts is the same at leaves and evenly: one layout, so no reshard between.
TEST(Layout, EqualBoxesAreEqualLayouts) {
  const Mesh mesh{{{"tp", 8}}};
  Layout even = replicate(mesh, 1), leaves = even;
  cut(even, mesh, {96}, 0, {0}, {1, false});
  cut(leaves, mesh, {96}, 0, {0}, {1, true});
  EXPECT_EQ(even, leaves);
  const Mesh five{{{"tp", 5}}};
  even = leaves = replicate(five, 1);
  cut(even, five, {96}, 0, {0}, {1, false});
  cut(leaves, five, {96}, 0, {0}, {1, true});
  EXPECT_NE(even, leaves);
}

TEST(Layout, PartialAxesDoNotShrinkTheBox) {
  const Mesh mesh{{{"a", 2}, {"b", 2}}};
  Layout layout = replicate(mesh, 2);
  EXPECT_TRUE(layout.replicated());
  layout.placements[0] = {Placement::Kind::partial, 0};
  cut(layout, mesh, {4, 4}, 1, {1}, {});
  EXPECT_TRUE(layout.partial());
  EXPECT_FALSE(layout.replicated());
  EXPECT_EQ(layout.partial_axes(), std::vector<int>{0});
  EXPECT_EQ(to_text(layout), "[P S1]");
  EXPECT_EQ(to_text(local_box({4, 4}, layout, mesh, 3)), "[0:4,2:4]");
  EXPECT_EQ(to_text(local_box({4, 4}, layout, mesh, 1)), "[0:4,2:4]");
}

TEST(Layout, SharesDivideInProportion) {
  const Mesh mesh{{{"tp", 4, {3, 1, 0, 2}}}};
  Layout layout = replicate(mesh, 2);
  cut(layout, mesh, {24, 5}, 0, {0}, {1, false});
  const std::vector<Range> rows{{0, 12}, {12, 16}, {16, 16}, {16, 24}};
  for (int r = 0; r < 4; ++r) {
    const Box box = local_box({24, 5}, layout, mesh, r);
    EXPECT_EQ((Range{box.offset[0], box.offset[0] + box.extent[0]}),
              rows[static_cast<std::size_t>(r)]);
  }
  for (std::int64_t extent : {1, 7, 10, 48, 105, 172}) {
    for (std::int64_t grain : {1, 3}) {
      for (bool by_leaf : {false, true}) {
        Layout odd = replicate(mesh, 1);
        cut(odd, mesh, {extent}, 0, {0}, {grain, by_leaf});
        expect_divided({extent}, odd, mesh);
      }
    }
  }
}

TEST(Layout, EqualSharesCutWhereEqualPartsDo) {
  for (int ranks = 1; ranks <= 16; ++ranks) {
    const std::vector<std::int64_t> shares(static_cast<std::size_t>(ranks), 5);
    for (std::int64_t extent : {0, 1, 7, 10, 48, 105, 172}) {
      for (int i = 0; i < ranks; ++i) {
        EXPECT_EQ(split_by_shares(extent, shares, i, 3), split(extent, ranks, i, 3));
      }
    }
  }
}

TEST(Layout, AStageHoldsAllOrNothing) {
  const Mesh mesh{{{"pp", 2}, {"tp", 2}}};
  Layout layout = replicate(mesh, 2);
  layout.placements[0] = {Placement::Kind::stage, 1};
  cut(layout, mesh, {6, 4}, 1, {1}, {1, false});
  EXPECT_EQ(to_text(layout), "[@1 S1]");
  EXPECT_EQ(layout.stage(), 1);
  EXPECT_TRUE(local_box({6, 4}, layout, mesh, 0).empty());
  EXPECT_TRUE(local_box({6, 4}, layout, mesh, 1).empty());
  EXPECT_EQ(to_text(local_box({6, 4}, layout, mesh, 2)), "[0:6,0:2]");
  EXPECT_EQ(to_text(local_box({6, 4}, layout, mesh, 3)), "[0:6,2:4]");
  EXPECT_EQ(to_text(gathered(layout)), "[@1 R]");
}

}  // namespace
}  // namespace tpinfer::shard
