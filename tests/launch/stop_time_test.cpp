#include "launch/job/stop_time.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

const Clock::time_point start = Clock::now();

TEST(StopTime, CountsWhatTheNextBatchAndItsSavingTake) {
  StopTime never("");
  never.begin_batch();
  EXPECT_FALSE(never.too_late(1e9));
  StopTime hour("1h");
  hour.begin_batch();
  EXPECT_FALSE(hour.too_late(0));
  EXPECT_TRUE(hour.too_late(3600));
  const std::chrono::duration<double> passed = Clock::now() - start;
  StopTime soon(fmt::format("{:.3f}s", passed.count() + 0.45));
  soon.begin_batch();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  soon.begin_batch();
  EXPECT_TRUE(soon.too_late(0)) << "0.15 s are left, the last batch took 0.3 s";
}

TEST(StopTime, ReadsDurations) {
  EXPECT_EQ(parse_duration("--stop-after", "90s"), 90);
  EXPECT_EQ(parse_duration("--stop-after", "1d2h3m4.5s"), 93784.5);
  EXPECT_EQ(parse_duration("--stop-after", "02:30"), 150);
  EXPECT_EQ(parse_duration("--stop-after", "1-02:03:04"), 93784);
}

}  // namespace
}  // namespace tpinfer::launch
