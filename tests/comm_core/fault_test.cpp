#include "comm/fault.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace tpinfer::comm {
namespace {

// The order is read once per process, so every case has a process of its own (a death test) and
// goes to the site "load" three times. Exits with 100 + the visits that came back unharmed, or 50 +
// these when the fault was an exception.
[[noreturn]] void visit(const char* order) {
  setenv("TPINFER_FAULT", order, 1);
  int harmless = 0;
  for (int i = 0; i < 3; ++i) {
    try {
      detail::reach_fault_site("other");
      detail::reach_fault_site("load");
      ++harmless;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::_Exit(50 + harmless);
    }
  }
  std::_Exit(100 + harmless);
}

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

TEST(FaultSiteDeathTest, ActsOnTheNthVisitOfItsRank) {
  EXPECT_EXIT(visit("load:0:2:throw"), ExitedWithCode(51), "fault injected at load");
  EXPECT_EXIT(visit("load:*:3:oom"), ExitedWithCode(52), "bad_alloc");
  EXPECT_EXIT(visit("load:1:1:throw"), ExitedWithCode(103), "");
  EXPECT_EXIT(visit("save:0:1:throw"), ExitedWithCode(103), "");
  EXPECT_EXIT(visit("load:0:4:throw"), ExitedWithCode(103), "");
}

TEST(FaultSiteDeathTest, Actions) {
  EXPECT_EXIT(visit("load:0:1:error"), ExitedWithCode(50), "fault injected");
  EXPECT_EXIT(visit("load:0:1:exit0"), ExitedWithCode(0), "");
  EXPECT_EXIT(visit("load:0:1:kill"), KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(visit("load:0:1:abort"), KilledBySignal(SIGABRT), "");
}

TEST(FaultSiteDeathTest, SlowEveryTime) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EXIT(visit("load:0:*:slow(100)"), ExitedWithCode(103), "");
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
}

TEST(FaultSiteDeathTest, RefusesWhatItCannotRead) {
  for (const char* order : {"load", "load:0:throw", "load:x:1:throw", "load:0:1:dance"}) {
    EXPECT_EXIT(visit(order), ExitedWithCode(50), "want <site>:<rank>:<nth>:<action>") << order;
  }
}

TEST(FaultSite, CostsNothingWithoutOrder) {
  if (std::getenv("TPINFER_FAULT") != nullptr) FAIL() << "these tests want no TPINFER_FAULT";
  EXPECT_NO_THROW(fault_site("load"));
}

}  // namespace
}  // namespace tpinfer::comm
