#include "comm/together.hpp"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

#include "comm/activity.hpp"
#include "comm/single.hpp"

namespace tpinfer::comm {
namespace {

// "code text" of what together() throws, "" when it does not.
std::string outcome(const std::function<void()>& work) {
  try {
    together(*single_rank(), "load weights", work);
  } catch (const AgreedError& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
  return "";
}

TEST(Together, OneRankKeepsTheTextAndAddsThePhase) {
  EXPECT_EQ(outcome([] {}), "");
  EXPECT_EQ(outcome([] { fail(Fault::data, "cannot read"); }), "65 load weights: cannot read");
}

TEST(Together, TranslatesForeignExceptions) {
  EXPECT_EQ(outcome([] { throw std::bad_alloc(); }), "71 load weights: out of memory");
  EXPECT_EQ(outcome([] { throw std::runtime_error("odd"); }), "70 load weights: odd");
  EXPECT_EQ(outcome([] { throw 7; }), "70 load weights: an exception of unknown type");
}

TEST(Together, SetsThePhaseForItsTimeOnly) {
  set_phase("outer");
  EXPECT_EQ(outcome([] {
              EXPECT_EQ(current_phase(), "load weights");
              fail(Fault::data, "x");
            }),
            "65 load weights: x");
  EXPECT_EQ(current_phase(), "outer");
}

TEST(Together, NestsFromOutsideIn) {
  const auto group = single_rank();
  try {
    together(*group, "start",
             [&] { together(*group, "plan", [] { fail(Fault::usage, "no mesh"); }); });
    FAIL() << "did not throw";
  } catch (const AgreedError& error) {
    EXPECT_STREQ(error.what(), "start: plan: no mesh");
    EXPECT_EQ(error.fault(), Fault::usage);
  }
}

TEST(Activity, WaitingScopesNest) {
  EXPECT_EQ(waiting_for(), nullptr);
  {
    const Waiting outer("split");
    {
      const Waiting inner("barrier");
      EXPECT_STREQ(waiting_for(), "barrier");
    }
    EXPECT_STREQ(waiting_for(), "split");
  }
  EXPECT_EQ(waiting_for(), nullptr);
}

TEST(Activity, LongPhasesAreCut) {
  set_phase(std::string(200, 'p'));
  EXPECT_EQ(current_phase(), std::string(63, 'p'));
  set_phase("start");
}

}  // namespace
}  // namespace tpinfer::comm
