#include "comm/meter.hpp"

#include <algorithm>
#include <bit>

namespace tpinfer::comm {

void Meter::add(Call call, std::size_t bytes, std::size_t bytes_sent, double seconds) {
  const std::size_t bucket =
      static_cast<std::size_t>(call) * 65 + static_cast<std::size_t>(std::bit_width(bytes));
  fastest_[bucket] = std::min(fastest_[bucket], seconds);
  seconds_[bucket] += seconds;
  ++calls_[bucket];
  bytes_sent_ += static_cast<std::int64_t>(bytes_sent);
}

Counters Meter::counters(std::span<const double> fastest) const {
  Counters total;
  total.bytes_sent = bytes_sent_;
  for (std::size_t b = 0; b < kBuckets; ++b) {
    if (calls_[b] == 0) continue;
    total.calls += calls_[b];
    total.seconds += seconds_[b];
    const double transfer = std::min(fastest[b], fastest_[b]) * static_cast<double>(calls_[b]);
    total.waiting_seconds += std::max(0.0, seconds_[b] - transfer);
  }
  return total;
}

}  // namespace tpinfer::comm
