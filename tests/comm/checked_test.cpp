#include "comm/checked.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

std::unique_ptr<Communicator> checked_world() { return checked(world().split(0, world().rank())); }

// The text of the error that all ranks throw; "" without one.
template <typename Body>
std::string refusal(const Body& body) {
  try {
    body();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::internal);
    return error.what();
  }
}

TEST(Checked, EqualCallsPass) {
  const auto group = checked_world();
  const auto ranks = static_cast<std::size_t>(group->size());
  const int mine = group->rank();
  std::vector<int> all(ranks);
  group->all_gather(&mine, std::vector<std::size_t>(ranks, sizeof mine), all.data());
  std::vector<int> want(ranks);
  std::iota(want.begin(), want.end(), 0);
  EXPECT_EQ(all, want);
  group->barrier();
  int told = mine;
  group->broadcast(&told, sizeof told, group->size() - 1);
  EXPECT_EQ(told, group->size() - 1);
  // Groups have numbers of their own.
  const auto halves = group->split(mine % 2, mine);
  if (mine % 2 == 0) halves->barrier();
  group->barrier();
  EXPECT_EQ(group->size(), world().size());
}

TEST(Checked, DifferentCallsAreNamed) {
  if (world().size() < 2) {
    EXPECT_EQ(refusal([] { checked_world()->barrier(); }), "");
    return;
  }
  const auto group = checked_world();
  group->barrier();
  int value = 0;
  const bool odd_one = group->rank() == 1;
  EXPECT_EQ(refusal([&] { odd_one ? group->barrier() : group->broadcast(&value, 4, 0); }),
            "ranks call different collectives: rank 0 broadcast from or to rank 0 of size 4 "
            "(call 2), rank 1 barrier (call 2)");
  EXPECT_EQ(refusal([&] { group->broadcast(&value, 4, odd_one ? 1 : 0); }),
            "ranks call different collectives: rank 0 broadcast from or to rank 0 of size 4 "
            "(call 3), rank 1 broadcast from or to rank 1 of size 4 (call 3)");
  group->barrier();
  const std::vector<std::size_t> counts(static_cast<std::size_t>(group->size()), odd_one ? 2 : 1);
  const std::vector<float> in(2 * counts.size());
  std::vector<float> out(2);
  const std::string sizes =
      refusal([&] { group->reduce_scatter_sum(in.data(), counts, out.data()); });
  EXPECT_TRUE(sizes.find("reduce-scatter of size") != sizes.npos) << sizes;
  // Groups are checked like the whole.
  const auto part = group->split(0, group->rank());
  EXPECT_EQ(refusal([&] { odd_one ? part->barrier() : part->broadcast(&value, 4, 0); }),
            "ranks call different collectives: rank 0 broadcast from or to rank 0 of size 4 "
            "(call 1), rank 1 barrier (call 1)");
}

}  // namespace
}  // namespace tpinfer::comm
