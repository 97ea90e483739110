#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "comm/root_reduce.hpp"
#include "kernels/base/leaves.hpp"
#include "kernels/math/combine.hpp"
#include "launch/calibrate.hpp"
#include "shard/plan/cost.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = shard::PlanStep::Kind;

constexpr std::int64_t kSmall = 64, kLarge = std::int64_t{1} << 18;  // floats of a result
constexpr int kSmallCalls = 20;

// A group of ranks that measures together with others of its size.
struct Group {
  int ranks = 0, nodes = 1;
  std::unique_ptr<comm::Communicator> members;
  bool full = false;  // has that many ranks; the rest of a division only keeps pace
};

// Which roots each rank of a group sends, as with a sum of 16 leaves.
struct Roots {
  std::vector<int> counts;
  std::vector<Range> all;

  explicit Roots(int ranks) {
    for (int r = 0; r < ranks; ++r) {
      const Range leaves = split(kMaxLeaves, ranks, r);
      const std::vector<Range> own =
          leaves.size() == 0 ? std::vector<Range>{} : roots_of(leaves, kMaxLeaves);
      counts.push_back(static_cast<int>(own.size()));
      all.insert(all.end(), own.begin(), own.end());
    }
  }
};

std::int64_t part_of(std::int64_t count, int ranks) {
  return std::max<std::int64_t>(1, count / ranks);
}

// What the planner counts for a call (shard::bytes_received).
double bytes_of(Kind kind, int ranks, std::int64_t count) {
  const double result = sizeof(float) * static_cast<double>(count);
  const auto roots = static_cast<double>(Roots(ranks).all.size());
  const double others = (ranks - 1.0) / ranks;
  switch (kind) {
    case Kind::all_gather:
      return result * others;
    case Kind::reduce_scatter:
      return sizeof(float) * static_cast<double>(part_of(count, ranks)) * roots * others;
    case Kind::all_reduce: {
      const bool sliced = ranks > 2 && result * roots >= double{shard::kSlicedFromBytes};
      return others * (sliced ? result * roots / ranks + result : result * roots);
    }
    default:
      return result;
  }
}

class GroupMeter {
 public:
  explicit GroupMeter(comm::Communicator& group)
      : group_(group),
        ranks_(group.size()),
        me_(static_cast<std::size_t>(group.rank())),
        roots_(ranks_) {
    const auto most = static_cast<std::size_t>(kLarge * (kMaxLeaves + 1));
    send_.assign(most, 1.0F);
    receive_.assign(most, 0.0F);
    out_.assign(static_cast<std::size_t>(kLarge), 0.0F);
    scratch_.resize(std::max(scratch_bytes(kSmall), scratch_bytes(kLarge)));
  }

  // One call whose result has `count` floats, of a scattered sum all parts together.
  void call(Kind kind, std::int64_t count) {
    switch (kind) {
      case Kind::all_gather:
        return group_.all_gather(send_.data(), shares(count), receive_.data());
      case Kind::all_to_all:
        return group_.all_to_all(
            send_.data(), shares(count), receive_.data(),
            std::vector<std::size_t>(static_cast<std::size_t>(ranks_), shares(count)[me_]));
      case Kind::send:
        return group_.all_to_all(send_.data(), one_to_one(count, 0, 1), receive_.data(),
                                 one_to_one(count, 1, 0));
      case Kind::reduce_scatter:
        return scatter_sums(part_of(count, ranks_));
      default:
        return comm::all_reduce(
            group_, send_.data(), roots_.counts, count,
            [this](std::span<const float* const> vectors, std::int64_t elements, float* sum) {
              kernels::combine_roots(roots_.all, vectors, elements, sum);
            },
            out_.data(), scratch_);
    }
  }

 private:
  std::size_t scratch_bytes(std::int64_t count) const {
    return comm::all_reduce_scratch_bytes(group_, roots_.counts, count);
  }

  // Even parts of a result, in bytes.
  std::vector<std::size_t> shares(std::int64_t count) const {
    std::vector<std::size_t> bytes;
    for (int r = 0; r < ranks_; ++r) {
      bytes.push_back(static_cast<std::size_t>(split(count, ranks_, r).size()) * sizeof(float));
    }
    return bytes;
  }

  // From rank 0 to rank 1: what rank `own` has for rank `other`.
  std::vector<std::size_t> one_to_one(std::int64_t count, std::size_t own,
                                      std::size_t other) const {
    std::vector<std::size_t> bytes(static_cast<std::size_t>(ranks_), 0);
    if (me_ == own) bytes[other] = static_cast<std::size_t>(count) * sizeof(float);
    return bytes;
  }

  // As runtime/transfer: every rank receives all roots of its part and adds them.
  void scatter_sums(std::int64_t count) {
    std::vector<std::size_t> send, receive;
    for (int r = 0; r < ranks_; ++r) {
      const auto part = static_cast<std::size_t>(count) * sizeof(float);
      send.push_back(part * static_cast<std::size_t>(roots_.counts[me_]));
      receive.push_back(part *
                        static_cast<std::size_t>(roots_.counts[static_cast<std::size_t>(r)]));
    }
    group_.all_to_all(send_.data(), send, receive_.data(), receive);
    std::vector<const float*> vectors;
    for (std::size_t v = 0; v < roots_.all.size(); ++v) {
      vectors.push_back(receive_.data() + static_cast<std::int64_t>(v) * count);
    }
    kernels::combine_roots(roots_.all, vectors, count, out_.data());
  }

  comm::Communicator& group_;
  const int ranks_;
  const std::size_t me_;
  const Roots roots_;
  std::vector<float> send_, receive_, out_;
  std::vector<std::byte> scratch_;
};

// The first world rank on this rank's node.
int node_of(comm::Session& session) {
  const std::vector<std::string>& hosts = session.hosts();
  const auto own = static_cast<std::size_t>(session.world().rank());
  return static_cast<int>(std::find(hosts.begin(), hosts.end(), hosts[own]) - hosts.begin());
}

// Collective: all ranks make all groups.
std::vector<Group> make_groups(comm::Session& session) {
  comm::Communicator& world = session.world();
  std::vector<Group> groups;
  auto add = [&](int ranks, int nodes, int color) {
    Group group{ranks, nodes, world.split(color, world.rank()), false};
    group.full = group.members->size() == ranks;
    groups.push_back(std::move(group));
  };
  const int here = session.ranks_on_node(), place = session.node_rank();
  const int most_here = static_cast<int>(
      median_of_slowest(world, {static_cast<double>(here)}));  // the same on all ranks
  for (int ranks = 2; ranks < most_here; ranks *= 2) {
    add(ranks, 1, node_of(session) * world.size() + place / ranks);
  }
  if (most_here > 1) add(most_here, 1, node_of(session) * world.size());
  if (session.node_count() > 1) {
    if (most_here > 1) add(session.node_count(), 2, place);
    add(world.size(), 2, 0);
  }
  return groups;
}

}  // namespace

void measure_collectives(comm::Session& session, shard::CostTable& costs) {
  comm::Communicator& world = session.world();
  for (auto& rows : costs.collectives) {
    if (world.size() > 1) rows.clear();
  }
  for (Group& group : make_groups(session)) {
    GroupMeter meter(*group.members);
    constexpr std::size_t kKinds = shard::kCollectiveNames.size();
    std::vector<std::vector<double>> small(kKinds), large(kKinds);
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t k = 0; k < kKinds; ++k) {
        const auto kind = static_cast<Kind>(static_cast<std::size_t>(Kind::all_gather) + k);
        if (group.members->size() == 1) continue;
        for (auto [list, count, calls] :
             {std::tuple{&small, kSmall, kSmallCalls}, std::tuple{&large, kLarge, 1}}) {
          group.members->barrier();
          const Clock::time_point start = Clock::now();
          for (int i = 0; i < calls; ++i) meter.call(kind, count);
          (*list)[k].push_back(std::chrono::duration<double>(Clock::now() - start).count() / calls);
        }
      }
    }
    for (std::size_t k = 0; k < kKinds; ++k) {
      const auto kind = static_cast<Kind>(static_cast<std::size_t>(Kind::all_gather) + k);
      const std::vector<double> none(kRounds, 0);
      const double few = median_of_slowest(world, group.full ? small[k] : none);
      const double many = median_of_slowest(world, group.full ? large[k] : none);
      const double bytes_few = bytes_of(kind, group.ranks, kSmall);
      const double bytes_many = bytes_of(kind, group.ranks, kLarge);
      const double rate =
          many > few ? (bytes_many - bytes_few) / (many - few) : bytes_many / std::max(many, 1e-9);
      costs.collectives[k].push_back({group.ranks, group.nodes, few, std::clamp(rate, 1e3, 1e15)});
    }
  }
  for (auto& rows : costs.collectives) {
    // One rank per node: groups inside a node are not known; take those between nodes.
    if (rows.front().nodes == 1) continue;
    std::vector<shard::CollectiveRate> within = rows;
    for (shard::CollectiveRate& row : within) row.nodes = 1;
    rows.insert(rows.begin(), within.begin(), within.end());
  }
}

}  // namespace tpinfer::launch
