#include "comm/fault_order.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "comm/fault.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

// "site visit action" of everything that this rank would suffer in a run of ten visits per site.
std::vector<std::string> suffered(const std::string& text, int rank, int ranks) {
  FaultOrder order(text, rank, ranks);
  std::vector<std::string> out;
  for (int visit = 1; visit <= 10; ++visit) {
    for (const std::string_view site : fault_sites()) {
      const auto action = order.visit(site);
      EXPECT_EQ(order.visits(site), visit);
      if (action) out.push_back(std::string(site) + std::to_string(visit) + action->name);
    }
  }
  return out;
}

TEST(FaultOrder, AnySite) {
  FaultOrder order("*:1:2:slow(7)", 1, 3);
  EXPECT_FALSE(order.visit("load"));
  EXPECT_FALSE(order.visit("step"));
  const auto action = order.visit("step");
  ASSERT_TRUE(action);
  EXPECT_EQ(action->name, "slow");
  EXPECT_EQ(action->milliseconds, 7);
  EXPECT_FALSE(order.visit("step"));
}

TEST(FaultOrder, EqualSeedsEqualFaults) {
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(suffered("random:5", rank, 3), suffered("random:5", rank, 3));
  }
  EXPECT_NE(suffered("random:5", 0, 1), suffered("random:6", 0, 1));
}

TEST(FaultOrder, ARankAtLeastIsFaultyAndAQuarterOfTheOthers) {
  int faulty = 0;
  for (int seed = 0; seed < 400; ++seed) {
    bool any = false;
    for (int rank = 0; rank < 4; ++rank) {
      const bool is = !suffered("random:" + std::to_string(seed) + ":slow(1)", rank, 4).empty();
      faulty += is ? 1 : 0;
      any = any || is;
    }
    EXPECT_TRUE(any) << "seed " << seed;
  }
  EXPECT_NEAR(faulty, 400 * (1 + 3 * 0.25), 70);
}

TEST(FaultOrder, AQuarterOfTheSitesAndAQuarterOfTheirVisits) {
  std::size_t visits = 0;
  std::set<std::string> actions;
  for (int seed = 0; seed < 400; ++seed) {
    visits += suffered("random:" + std::to_string(seed), 0, 1).size();
    FaultOrder order("random:" + std::to_string(seed), 0, 1);
    for (int i = 0; i < 10; ++i) {
      if (const auto action = order.visit("load")) actions.insert(action->name);
    }
  }
  const auto all = static_cast<double>(fault_sites().size() * 10 * 400);
  EXPECT_NEAR(static_cast<double>(visits) / all, 1.0 / 16, 0.01);
  EXPECT_EQ(actions.size(), 10U);
}

TEST(FaultOrder, RefusesWhatItCannotRead) {
  for (const char* text : {"", "load", "load:0:throw", "load:x:1:throw", "load:0:1:dance",
                           "load:0:1:slow", "load:0:1:slow(x)", "random:", "random:x",
                           "random:1:", "random:1:throw,", "random:1:dance", "random:-1"}) {
    EXPECT_THROW(FaultOrder(text, 0, 1), Error) << text;
  }
}

TEST(FaultOrder, SitesHaveNoDoubles) {
  const std::set<std::string_view> names(fault_sites().begin(), fault_sites().end());
  EXPECT_EQ(names.size(), fault_sites().size());
}

}  // namespace
}  // namespace tpinfer::comm
