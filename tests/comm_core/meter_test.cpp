#include "comm/meter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tpinfer::comm {
namespace {

TEST(Meter, AddsUp) {
  Meter meter;
  meter.add(Call::broadcast, 100, 300, 0.5);
  meter.add(Call::all_gather, 100, 20, 0.25);
  const Counters total = meter.counters(meter.fastest());
  EXPECT_EQ(total.calls, 2);
  EXPECT_EQ(total.bytes_sent, 320);
  EXPECT_DOUBLE_EQ(total.seconds, 0.75);
  EXPECT_DOUBLE_EQ(total.waiting_seconds, 0);  // each is the fastest of its bucket
}

TEST(Meter, WaitingIsWhatExceedsTheFastestOfAKindAndSize) {
  Meter meter;
  meter.add(Call::all_gather, 1000, 0, 0.5);
  meter.add(Call::all_gather, 1001, 0, 3.5);   // the same power of two
  meter.add(Call::all_gather, 9000, 0, 7.0);   // another size
  meter.add(Call::all_to_all, 1000, 0, 11.0);  // another kind
  EXPECT_DOUBLE_EQ(meter.counters(meter.fastest()).waiting_seconds, 3.0);
}

TEST(Meter, AnotherRanksFastestReveals) {
  Meter early, late;
  early.add(Call::barrier, 0, 0, 2.0);
  late.add(Call::barrier, 0, 0, 0.5);
  EXPECT_DOUBLE_EQ(early.counters(late.fastest()).waiting_seconds, 1.5);
  EXPECT_DOUBLE_EQ(late.counters(early.fastest()).waiting_seconds, 0);  // never negative
}

TEST(Meter, TakesAnySize) {
  Meter meter;
  meter.add(Call::reduce_scatter, ~std::size_t{0}, 0, 1);
  meter.add(Call::reduce_scatter, 0, 0, 1);
  EXPECT_EQ(meter.counters(meter.fastest()).calls, 2);
}

}  // namespace
}  // namespace tpinfer::comm
