#include "bench/interleave.hpp"

#include <chrono>
#include <cstddef>

namespace tpinfer::bench {
namespace {

constexpr int kMostCalls = 1 << 20;

double seconds_of(const Contender& contender, int calls, const Ranks& ranks) {
  using Clock = std::chrono::steady_clock;
  ranks.meet();
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < calls; ++i) contender.call();
  return ranks.slowest(std::chrono::duration<double>(Clock::now() - start).count());
}

// Decided from agreed times alone, so that all ranks choose alike.
int calls_needed(const Contender& contender, const Effort& effort, const Ranks& ranks) {
  seconds_of(contender, 1, ranks);
  int calls = 1;
  while (calls < kMostCalls && seconds_of(contender, calls, ranks) < effort.least_seconds) {
    calls *= 2;
  }
  return calls;
}

}  // namespace

std::vector<std::vector<double>> interleave(const std::vector<Contender>& contenders,
                                            const Effort& effort, const Ranks& ranks) {
  std::vector<int> calls;
  for (const Contender& contender : contenders) {
    calls.push_back(calls_needed(contender, effort, ranks));
  }
  const std::size_t count = contenders.size();
  std::vector<std::vector<double>> seconds(count);
  for (int round = 0; round < effort.rounds; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = (i + static_cast<std::size_t>(round)) % count;
      seconds[at].push_back(seconds_of(contenders[at], calls[at], ranks) / calls[at]);
    }
  }
  return seconds;
}

}  // namespace tpinfer::bench
