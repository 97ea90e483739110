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

std::string range_text(const std::vector<RankTimes>& ranks, std::int64_t RankTimes::*member) {
  std::int64_t least = ranks[0].*member, most = least;
  for (const RankTimes& rank : ranks) {
    least = std::min(least, rank.*member);
    most = std::max(most, rank.*member);
  }
  return least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most);
}

}  // namespace tpinfer::launch
