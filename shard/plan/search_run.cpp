#include <algorithm>
#include <limits>

#include "kernels/base/heartbeat.hpp"
#include "shard/plan/search.hpp"

namespace tpinfer::shard {
namespace {

// States times decisions at one node, and at all nodes together: what a plan may take (about a
// second). Chains and blocks with residual sums on one axis stay far below.
constexpr std::size_t kLeastSteps = 8192;
constexpr std::size_t kMostSteps = 4'000'000;
// With a memory limit: entries of one state, which differ in bytes.
constexpr std::size_t kMostLabels = 64;

struct StateHash {
  std::size_t operator()(const State& state) const {
    std::uint64_t hash = 1469598103934665603u;
    for (int id : state) hash = (hash ^ static_cast<std::uint64_t>(id + 1)) * 1099511628211u;
    return hash;
  }
};

bool no_more(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
  }
  return true;
}

std::int64_t most(const std::vector<std::int64_t>& bytes) {
  return bytes.empty() ? 0 : *std::max_element(bytes.begin(), bytes.end());
}

}  // namespace

// Whether no plan behind the entry is within the limits.
bool Search::hopeless(const Entry& entry, std::size_t next) const {
  if (entry.cost + least_cost_ahead_[next] >= limits_.cost) return true;
  for (std::size_t s = 0; limits_.weight_bytes && s + 1 < entry.bytes.size(); ++s) {
    if (entry.bytes[s + 1] + least_bytes_ahead_[next][s] > *limits_.weight_bytes) return true;
  }
  return false;
}

std::vector<Entry> Search::advance(const std::vector<Entry>& before, std::size_t n,
                                   const Choices& all, const std::vector<int>& indexes) {
  std::unordered_map<State, std::vector<std::size_t>, StateHash> known;
  std::vector<Entry> after;
  for (std::size_t e = 0; e < before.size(); ++e) {
    beat();
    for (int c : indexes) {
      Entry entry = move(before[e], n, all.effects[static_cast<std::size_t>(c)]);
      if (hopeless(entry, n + 1)) continue;
      entry.parent = static_cast<int>(e);
      entry.choice = c;
      std::vector<std::size_t>& same = known[entry.state];
      auto beaten = [&](std::size_t i) {
        return after[i].cost <= entry.cost && no_more(after[i].bytes, entry.bytes);
      };
      if (std::any_of(same.begin(), same.end(), beaten)) continue;
      const auto worse = std::find_if(same.begin(), same.end(), [&](std::size_t i) {
        return entry.cost <= after[i].cost && no_more(entry.bytes, after[i].bytes);
      });
      if (worse != same.end()) {
        after[*worse] = std::move(entry);
      } else {
        same.push_back(after.size());
        after.push_back(std::move(entry));
      }
    }
  }
  std::stable_sort(after.begin(), after.end(),
                   [](const Entry& a, const Entry& b) { return a.cost < b.cost; });
  if (limits_.weight_bytes) thin_out(after);
  drop_dominated(after, n);
  shorten(after, n + 1);
  return after;
}

// The most that having tensor `t` in holding `a` instead of `b` can cost more in all that follows.
// Each layout is paid for once at most, and each use wants one layout at most; what either comes to
// have later, the other has too.
double Search::penalty(int t, int a, int b, std::size_t n) {
  if (a == b) return 0;
  const Tracked& tensor = tracked_[static_cast<std::size_t>(t)];
  if (tensor.weight) {
    const bool fine = b < 0 || (a >= 0 && moves_.includes(a, b));
    return fine ? 0 : std::numeric_limits<double>::infinity();
  }
  if (penalties_of_ != n) penalties_.clear(), penalties_of_ = n;
  const std::uint64_t key = static_cast<std::uint64_t>(t) << 42 |
                            static_cast<std::uint64_t>(a) << 21 | static_cast<std::uint64_t>(b);
  const auto [at, fresh] = penalties_.try_emplace(key, 0.0);
  if (!fresh) return at->second;
  const int kind = tensor.tensor_class;
  auto more = [&](int wanted) {
    return std::max(0.0, moves_.price(kind, a, wanted) - moves_.price(kind, b, wanted));
  };
  double by_use = 0, by_layout = 0;
  std::vector<int> wanted;
  for (const auto& [node, layouts] : tensor.uses) {
    if (node <= n) continue;
    double worst = 0;
    for (int layout : layouts) worst = std::max(worst, more(layout));
    by_use += worst;
    wanted.insert(wanted.end(), layouts.begin(), layouts.end());
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (int layout : wanted) by_layout += more(layout);
  double last = 0;
  if (tensor.output) {
    const int whole_a = moves_.whole(moves_.made_in(a)), whole_b = moves_.whole(moves_.made_in(b));
    last = whole_a == whole_b ? more(whole_a) : moves_.price(kind, a, whole_a);
  }
  return at->second = std::min(by_use, by_layout) + last;
}

bool Search::dominates(const Entry& a, const Entry& b, std::size_t n) {
  if (!no_more(a.bytes, b.bytes)) return false;
  double cost = a.cost;
  const std::vector<int>& live = live_[n + 1];
  for (std::size_t i = 0; i < live.size() && cost <= b.cost; ++i) {
    cost += penalty(live[i], a.state[i], b.state[i], n);
  }
  return cost <= b.cost;
}

// `entries` are sorted by cost.
void Search::drop_dominated(std::vector<Entry>& entries, std::size_t n) {
  constexpr std::size_t kCompared = 1024;  // with the cheapest ones; bounds the time
  std::vector<Entry> kept;
  for (Entry& entry : entries) {
    const std::size_t compared = std::min(kept.size(), kCompared);
    bool dropped = false;
    for (std::size_t k = 0; k < compared && !dropped; ++k) dropped = dominates(kept[k], entry, n);
    if (!dropped) kept.push_back(std::move(entry));
  }
  entries = std::move(kept);
}

// With a memory limit: drops unproven the labels of one state beyond kMostLabels, keeping the
// cheapest, the leanest, and of the others every so many. `entries` are sorted by cost.
void Search::thin_out(std::vector<Entry>& entries) {
  std::unordered_map<State, std::vector<std::size_t>, StateHash> labels;
  for (std::size_t e = 0; e < entries.size(); ++e) labels[entries[e].state].push_back(e);
  std::vector<char> keep(entries.size(), 1);
  for (const auto& [state, list] : labels) {
    if (list.size() <= kMostLabels) continue;
    proven_ = false;
    auto slot = [&](std::size_t i) { return i * (kMostLabels - 1) / (list.size() - 1); };
    for (std::size_t i = 1; i < list.size(); ++i) keep[list[i]] = slot(i) != slot(i - 1);
  }
  std::vector<Entry> kept;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    if (keep[e]) kept.push_back(std::move(entries[e]));
  }
  entries = std::move(kept);
}

// Drops unproven the dearest entries when there are too many, never the leanest one.
void Search::shorten(std::vector<Entry>& entries, std::size_t next) {
  const std::size_t nodes = moves_.graph().nodes.size();
  if (next >= nodes) return;
  const std::size_t steps = std::max(kLeastSteps, kMostSteps / nodes);
  const std::size_t most_entries =
      std::max<std::size_t>(16, steps / std::max<std::size_t>(1, choices(next).effects.size()));
  if (entries.size() <= most_entries) return;
  proven_ = false;
  const auto leanest = std::min_element(
      entries.begin(), entries.end(),
      [](const Entry& a, const Entry& b) { return most(a.bytes) < most(b.bytes); });
  if (leanest - entries.begin() >= static_cast<std::ptrdiff_t>(most_entries)) {
    entries[most_entries - 1] = std::move(*leanest);
  }
  entries.resize(most_entries);
}

// Outputs become whole.
void Search::deliver(Entry& entry) {
  for (const std::string& output : moves_.graph().outputs) {
    const int t = tracked_ids_.at(output);
    const auto& live = live_.back();
    int& holding =
        entry
            .state[static_cast<std::size_t>(std::find(live.begin(), live.end(), t) - live.begin())];
    const int whole = moves_.whole(moves_.made_in(holding));
    entry.cost += moves_.price(tracked_[static_cast<std::size_t>(t)].tensor_class, holding, whole);
    holding = moves_.with(holding, whole);
  }
}

std::vector<Found> Search::run() {
  const std::size_t count = moves_.graph().nodes.size();
  std::vector<std::vector<Entry>> rounds{{start()}};
  for (std::size_t n = 0; n < count; ++n) {
    const Choices& all = choices(n);
    std::vector<int> indexes;
    for (std::size_t c = 0; c < all.effects.size(); ++c) indexes.push_back(static_cast<int>(c));
    rounds.push_back(advance(rounds.back(), n, all, indexes));
  }
  std::vector<Entry>& ends = rounds.back();
  for (Entry& end : ends) deliver(end);
  std::vector<std::size_t> order(ends.size());
  for (std::size_t e = 0; e < order.size(); ++e) order[e] = e;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return ends[a].cost < ends[b].cost; });
  std::vector<Found> found;
  for (std::size_t e : order) {
    const std::int64_t bytes = most(ends[e].bytes);
    if (ends[e].cost >= limits_.cost) break;
    if (!found.empty() && bytes >= found.back().weight_bytes) continue;
    Found& plan = found.emplace_back(Found{std::vector<Decision>(count), ends[e].cost, bytes});
    auto at = static_cast<int>(e);
    for (std::size_t n = count; n-- > 0;) {
      const Entry& entry = rounds[n + 1][static_cast<std::size_t>(at)];
      plan.decisions[n] = choices(n).decisions[static_cast<std::size_t>(entry.choice)];
      at = entry.parent;
    }
    if (!limits_.weight_bytes) break;
  }
  return found;
}

}  // namespace tpinfer::shard
