#include "shard/layout/mesh.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace tpinfer::shard {
namespace {

TEST(Mesh, LastAxisVariesFastest) {
  const Mesh mesh{{{"dp", 2}, {"tp", 3}}};
  EXPECT_EQ(mesh.size(), 6);
  EXPECT_EQ(mesh.coordinates(4), (std::vector<int>{1, 1}));
  EXPECT_EQ(mesh.coordinates(2), (std::vector<int>{0, 2}));
  EXPECT_EQ(to_text(mesh), "dp 2 x tp 3");
}

TEST(Mesh, RolesAndShares) {
  const Mesh mesh{{{"pp", 2}, {"dp", 2}, {"tp", 3, {3, 1, 0}}}};
  EXPECT_EQ(mesh.axis("dp"), 1);
  EXPECT_EQ(mesh.axis("none"), -1);
  EXPECT_FALSE(mesh.free(0));
  EXPECT_FALSE(mesh.free(1));
  EXPECT_TRUE(mesh.free(2));
  EXPECT_EQ(mesh.shares_of({1}), (std::vector<std::int64_t>{}));
  EXPECT_EQ(mesh.shares_of({1, 2}), (std::vector<std::int64_t>{3, 1, 0, 3, 1, 0}));
  EXPECT_EQ(to_text(mesh), "pp 2 x dp 2 x tp 3 (3:1:0)");
}

TEST(Mesh, GroupsAlongAxes) {
  const Mesh mesh{{{"a", 2}, {"b", 2}, {"c", 2}}};
  EXPECT_EQ(mesh.group_of({1}, 5), (std::vector<int>{5, 7}));
  EXPECT_EQ(mesh.group_of({1}, 7), (std::vector<int>{5, 7}));
  EXPECT_EQ(mesh.group_of({0, 2}, 3), (std::vector<int>{2, 3, 6, 7}));
  EXPECT_EQ(mesh.group_of({}, 3), (std::vector<int>{3}));
  EXPECT_EQ(mesh.index_in({0, 2}, 6), 2);
  EXPECT_EQ(mesh.size_of({0, 2}), 4);
  EXPECT_EQ(mesh.size_of({}), 1);
}

// Along any axes, the groups divide the ranks, and a rank stands at its index in its group.
TEST(Mesh, GroupsDivideTheRanks) {
  const Mesh mesh{{{"a", 3}, {"b", 1}, {"c", 2}, {"d", 2}}};
  for (const std::vector<int>& axes :
       {std::vector<int>{}, {0}, {1}, {0, 1}, {0, 3}, {2, 3}, {0, 2, 3}, {0, 1, 2, 3}}) {
    std::set<std::vector<int>> groups;
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const std::vector<int> group = mesh.group_of(axes, rank);
      EXPECT_EQ(static_cast<int>(group.size()), mesh.size_of(axes));
      EXPECT_EQ(group[static_cast<std::size_t>(mesh.index_in(axes, rank))], rank);
      groups.insert(group);
    }
    EXPECT_EQ(static_cast<int>(groups.size()) * mesh.size_of(axes), mesh.size());
  }
}

}  // namespace
}  // namespace tpinfer::shard
