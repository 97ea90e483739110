#include "launch/rank_times.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tpinfer::launch {

std::vector<RankTimes> gather_times(comm::Communicator& world, const RankTimes& mine) {
  std::vector<RankTimes> ranks(static_cast<std::size_t>(world.size()));
  const std::vector<std::size_t> bytes(ranks.size(), sizeof(RankTimes));
  world.all_gather(&mine, bytes, ranks.data());
  return ranks;
}

std::string times_text(const std::vector<RankTimes>& ranks) {
  auto most = [&](double RankTimes::*member) {
    double value = 0;
    for (const RankTimes& rank : ranks) value = std::max(value, rank.*member);
    return value;
  };
  return fmt::format(
      "load {:.3f} s, compute {:.3f} s, communication {:.3f} s, waiting {:.3f} s "
      "(slowest rank of each)",
      most(&RankTimes::load), most(&RankTimes::compute), most(&RankTimes::communication),
      most(&RankTimes::waiting));
}

std::string imbalance_text(const std::vector<RankTimes>& ranks,
                           const std::vector<std::string>& hosts) {
  constexpr double kTimes = 3, kSeconds = 0.5;
  const auto slowest = std::max_element(
      ranks.begin(), ranks.end(),
      [](const RankTimes& a, const RankTimes& b) { return a.compute < b.compute; });
  std::vector<double> peers;
  for (const RankTimes& rank : ranks) {
    if (&rank != &*slowest && 2 * rank.weight_bytes >= slowest->weight_bytes) {
      peers.push_back(rank.compute);
    }
  }
  if (peers.empty()) return "";
  const auto middle = peers.begin() + static_cast<std::ptrdiff_t>(peers.size() / 2);
  std::nth_element(peers.begin(), middle, peers.end());
  if (slowest->compute < kTimes * *middle || slowest->compute < *middle + kSeconds) return "";
  const auto rank = static_cast<std::size_t>(slowest - ranks.begin());
  return fmt::format(
      "rank {} on {} computed {:.2f} s, its peers {:.2f} s: it is slower or shares its cores; see "
      "--rank-weights",
      rank, hosts.at(rank), slowest->compute, *middle);
}

std::string range_text(const std::vector<RankTimes>& ranks, std::int64_t RankTimes::*member) {
  std::int64_t least = ranks[0].*member, most = least;
  for (const RankTimes& rank : ranks) {
    least = std::min(least, rank.*member);
    most = std::max(most, rank.*member);
  }
  return least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most);
}

}  // namespace tpinfer::launch
