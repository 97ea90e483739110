#include "comm/judge.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "comm/activity.hpp"

namespace tpinfer::comm {
namespace {

Sign sign(double still, std::string_view waiting_for, double silent = 0) {
  Sign out;
  out.report.still_seconds = still;
  waiting_for.copy(out.report.waiting_for, sizeof out.report.waiting_for - 1);
  std::string_view("load weights").copy(out.report.phase, sizeof out.report.phase - 1);
  out.silent_seconds = silent;
  return out;
}

const std::vector<std::string> kHosts{"a", "b", "c", "d"};

std::string verdict(std::vector<Sign> signs) {
  return judge(signs, std::span(kHosts).first(signs.size()), 60).value_or("");
}

TEST(Judge, NobodyIsHungBelowTheLimit) {
  EXPECT_EQ(verdict({sign(59, ""), sign(59, "barrier"), sign(0, "", 59)}), "");
}

TEST(Judge, WaitingForASlowRankIsNoFault) {
  EXPECT_EQ(verdict({sign(600, "all-gather"), sign(1, ""), sign(600, "all-gather")}), "");
  // A rank that beats inside its wait moves too.
  EXPECT_EQ(verdict({sign(600, "all-gather"), sign(1, "broadcast")}), "");
}

TEST(Judge, NamesTheOneThatDoesNotWait) {
  EXPECT_EQ(verdict({sign(61, "all-gather"), sign(61, "all-gather"), sign(60, ""),
                     sign(61, "all-gather")}),
            "rank 2 on c has not moved for 60 s (load weights); 3 other ranks wait in all-gather; "
            "run again or raise --timeout");
}

TEST(Judge, NamesAHungRankWhileOthersStillMove) {
  EXPECT_EQ(verdict({sign(0, ""), sign(60, ""), sign(9, "barrier")}),
            "rank 1 on b has not moved for 60 s (load weights); 1 other rank waits in barrier; "
            "run again or raise --timeout");
}

TEST(Judge, CountsSeveralHungRanks) {
  EXPECT_EQ(verdict({sign(60, ""), sign(60, ""), sign(70, "")}),
            "rank 0 on a (and 2 other ranks) has not moved for 60 s (load weights); "
            "run again or raise --timeout");
}

TEST(Judge, SilenceComesBeforeStandingStill) {
  EXPECT_EQ(verdict({sign(61, "barrier"), sign(61, ""), sign(0, "", 60)}),
            "rank 2 on c is stopped or cut off: no sign of life for 60 s (load weights); "
            "1 other rank waits in barrier; run again or raise --timeout");
}

TEST(Judge, SeesRanksThatWaitForEachOther) {
  EXPECT_EQ(verdict({sign(60, "all-gather"), sign(61, "barrier"), sign(62, "barrier")}),
            "no rank has moved for 60 s (load weights); 1 rank waits in all-gather, "
            "2 ranks wait in barrier; run again or raise --timeout");
  EXPECT_EQ(verdict({sign(59, "all-gather"), sign(61, "barrier"), sign(62, "barrier")}), "");
}

TEST(Judge, OwnReportTellsWhatTheProcessDoes) {
  set_phase("hash weights");
  const Waiting waiting("a collective with a very long name indeed");
  const Report report = own_report(2.5);
  EXPECT_EQ(report.still_seconds, 2.5);
  EXPECT_STREQ(report.phase, "hash weights");
  EXPECT_STREQ(report.waiting_for, "a collective with a ver");
  set_phase("start");
}

}  // namespace
}  // namespace tpinfer::comm
