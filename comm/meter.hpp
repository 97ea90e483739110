// Counts and times collectives, and tells waiting from transfer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

enum class Call { barrier, broadcast, gather, all_gather, all_to_all, all_reduce, reduce_scatter };
inline constexpr std::size_t kCalls = 7;

// Calls are sorted into buckets by kind and power of two of their size; a bucket remembers its
// fastest call. Waiting is the time above it.
class Meter {
 public:
  static constexpr std::size_t kBuckets = kCalls * 65;

  // `bytes` chooses the bucket: the same on all ranks where they can know it.
  void add(Call call, std::size_t bytes, std::size_t bytes_sent, double seconds);

  // The fastest call of each bucket in seconds, 1e300 when there was none.
  std::span<const double> fastest() const { return fastest_; }

  // The totals, waiting being measured against `fastest` (of this rank, or the least of all ranks).
  Counters counters(std::span<const double> fastest) const;

  Meter() { fastest_.fill(kNever); }

 private:
  static constexpr double kNever = 1e300;
  std::array<double, kBuckets> fastest_;
  std::array<double, kBuckets> seconds_{};
  std::array<std::int64_t, kBuckets> calls_{};
  std::int64_t bytes_sent_ = 0;
};

}  // namespace tpinfer::comm
