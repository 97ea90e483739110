#include "comm/single.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "comm/texts.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

TEST(SingleRank, CollectivesCopy) {
  const auto group = single_rank();
  EXPECT_EQ(group->rank(), 0);
  EXPECT_EQ(group->size(), 1);
  const std::array<std::size_t, 1> bytes{3};
  std::string out = "...";
  group->all_gather("abc", bytes, out.data());
  EXPECT_EQ(out, "abc");
  group->gather("def", bytes, out.data(), 0);
  EXPECT_EQ(out, "def");
  group->all_to_all("ghi", bytes, out.data(), bytes);
  EXPECT_EQ(out, "ghi");
  std::array<float, 2> sum{1, 2}, scattered{};
  group->all_reduce_sum(sum.data(), 2);
  EXPECT_EQ(sum, (std::array<float, 2>{1, 2}));
  group->reduce_scatter_sum(sum.data(), std::array<std::size_t, 1>{2}, scattered.data());
  EXPECT_EQ(scattered, sum);
  EXPECT_EQ(group->split(3, 0)->size(), 1);
}

TEST(SingleRank, CountsCallsAndBeatsButSendsNothing) {
  const auto group = single_rank();
  const auto before = heartbeat_count().load();
  group->barrier();
  group->all_gather("a", std::array<std::size_t, 1>{1}, std::string(1, ' ').data());
  EXPECT_EQ(group->counters().calls, 2);
  EXPECT_EQ(group->counters().bytes_sent, 0);
  EXPECT_GE(heartbeat_count().load(), before + 2);
}

TEST(SingleRank, RefusesSizesOfMoreRanks) {
  const auto group = single_rank();
  std::string out(4, ' ');
  EXPECT_THROW(group->all_gather("ab", std::array<std::size_t, 2>{1, 1}, out.data()), Error);
  EXPECT_THROW(group->broadcast(out.data(), 1, 1), Error);
  const std::array<std::size_t, 1> two{2}, three{3};
  EXPECT_THROW(group->all_to_all("ab", two, out.data(), three), Error);
}

TEST(Texts, OfOneRank) {
  const auto group = single_rank();
  EXPECT_EQ(all_gather_texts(*group, "abc"), std::vector<std::string>{"abc"});
  EXPECT_EQ(all_gather_texts(*group, ""), std::vector<std::string>{""});
  EXPECT_EQ(broadcast_text(*group, "xyz", 0), "xyz");
}

}  // namespace
}  // namespace tpinfer::comm
