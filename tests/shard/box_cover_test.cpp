// Boxes made of boxes, against counting every element.
#include "shard/layout/box_cover.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tpinfer::shard {
namespace {

using Count = std::map<Shape, int>;

void count(const Box& box, Count& counts) {
  if (box.empty()) return;
  Shape at = box.offset;
  while (true) {
    ++counts[at];
    std::size_t d = at.size();
    while (d > 0 && ++at[d - 1] == box.offset[d - 1] + box.extent[d - 1]) {
      at[d - 1] = box.offset[d - 1];
      --d;
    }
    if (d == 0) return;
  }
}

Count counts_of(const std::vector<Box>& boxes) {
  Count counts;
  for (const Box& box : boxes) count(box, counts);
  return counts;
}

Box random_box(std::mt19937& random, std::size_t dims, bool may_be_empty) {
  Box box;
  for (std::size_t d = 0; d < dims; ++d) {
    box.offset.push_back(static_cast<std::int64_t>(random() % 5));
    box.extent.push_back(static_cast<std::int64_t>(random() % 4 + (may_be_empty ? 0 : 1)));
  }
  return box;
}

TEST(BoxCover, CountsEveryElementOnce) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t dims = random() % 4;
    const Box wanted = random_box(random, dims, true);
    std::vector<Box> boxes;
    std::vector<Offer> offers;
    for (std::size_t i = random() % 6; i > 0; --i) {
      boxes.push_back(random_box(random, dims, true));
      offers.push_back({boxes.back(), static_cast<int>(random() % 2), random() % 4 != 0});
    }
    Count all = counts_of({wanted}), left;
    Count there;
    for (const Offer& offer : offers) {
      if (offer.there) count(offer.box, there);
    }
    const Count by = counts_of(boxes);
    for (const auto& [at, one] : all) {
      if (!by.contains(at)) left[at] = 1;
    }
    ASSERT_EQ(counts_of(uncovered(wanted, boxes)), left);

    const Cover found = cover(wanted, offers);
    Count got = counts_of(found.holes);
    for (const auto& [at, one] : got) ASSERT_FALSE(there.contains(at));
    for (const Cover::Part& part : found.parts) {
      ASSERT_TRUE(offers[part.offer].there);
      ASSERT_TRUE(contains(offers[part.offer].box, part.box));
      count(part.box, got);
    }
    ASSERT_EQ(got, all);
  }
}

TEST(BoxCover, Subtract) {
  EXPECT_EQ(subtract({{0, 0}, {4, 4}}, {{1, 0}, {1, 2}}),
            (std::vector<Box>{{{0, 0}, {1, 4}}, {{2, 0}, {2, 4}}, {{1, 2}, {1, 2}}}));
  EXPECT_EQ(subtract({{0}, {4}}, {{4}, {2}}), (std::vector<Box>{{{0}, {4}}}));
  EXPECT_TRUE(subtract({{}, {}}, {{}, {}}).empty());  // a scalar from itself
  EXPECT_TRUE(subtract({{0}, {0}}, {{1}, {2}}).empty());
}

TEST(BoxCover, OneThatHasAllIsTakenAlone) {
  const Box wanted{{0, 4}, {96, 4}};
  const std::vector<Offer> offers{{{{0, 0}, {96, 6}}, 0},
                                  {{{0, 0}, {96, 16}}, 1},
                                  {{{0, 4}, {96, 4}}, 1},
                                  {{{0, 0}, {96, 16}}, 0}};
  const Cover found = cover(wanted, offers);
  ASSERT_EQ(found.parts.size(), 1u);
  EXPECT_EQ(found.parts[0].offer, 3u);  // the cheapest that has all
  EXPECT_EQ(found.parts[0].box, wanted);
}

TEST(BoxCover, WithoutContained) {
  const Box a{{0, 0}, {4, 4}}, b{{1, 1}, {2, 2}}, c{{2, 2}, {4, 4}}, none{{0, 0}, {0, 4}};
  EXPECT_EQ(without_contained({b, a, none, a, c, b}), (std::vector<Box>{a, c}));
}

TEST(BoxCover, SlabsFollowEachOtherInOneRun) {
  std::mt19937 random(8);
  for (int round = 0; round < 500; ++round) {
    const Box box = random_box(random, random() % 5, true);
    const auto most = static_cast<std::int64_t>(random() % 12 + 1);
    const Shape strides = strides_of(box.extent);
    std::int64_t next = 0;
    for_each_slab(box, most, [&](const Box& slab) {
      ASSERT_LE(element_count(slab.extent), most);
      ASSERT_TRUE(contains(box, slab));
      ASSERT_TRUE(is_one_run(box, slab)) << to_text(box) << " " << to_text(slab);
      std::int64_t begin = 0;
      for (std::size_t d = 0; d < strides.size(); ++d) {
        begin += (slab.offset[d] - box.offset[d]) * strides[d];
      }
      ASSERT_EQ(begin, next);
      next += element_count(slab.extent);
    });
    ASSERT_EQ(next, element_count(box.extent));
  }
  EXPECT_FALSE(is_one_run({{0, 0}, {4, 4}}, {{0, 0}, {2, 3}}));
  EXPECT_TRUE(is_one_run({{0, 0}, {4, 4}}, {{1, 1}, {1, 3}}));
}

}  // namespace
}  // namespace tpinfer::shard
