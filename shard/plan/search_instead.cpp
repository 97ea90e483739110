#include <algorithm>

#include "shard/plan/search.hpp"

namespace tpinfer::shard {
namespace {

// How many nodes on either side adapt to a change.
constexpr std::size_t kAround = 3;

std::vector<int> indexes_of(const Choices& choices) {
  std::vector<int> indexes;
  for (std::size_t c = 0; c < choices.effects.size(); ++c) indexes.push_back(static_cast<int>(c));
  return indexes;
}

}  // namespace

void Search::follow(const std::vector<int>& path) {
  if (path == path_ && !states_.empty()) return;
  path_ = path;
  states_ = {start()};
  for (std::size_t n = 0; n < path.size(); ++n) {
    states_.push_back(
        move(states_.back(), n, choices(n).effects[static_cast<std::size_t>(path[n])]));
  }
}

double Search::paid_at(const std::vector<int>& path, std::size_t node) {
  follow(path);
  return states_[node + 1].cost - states_[node].cost;
}

Search::Instead Search::instead(const std::vector<int>& path, std::size_t node, const Choices& all,
                                const std::vector<int>& others) {
  Instead best;
  if (others.empty()) return best;
  follow(path);
  const std::size_t begin = node - std::min(node, kAround);
  const std::size_t end = std::min(path.size(), node + kAround + 1);
  std::vector<std::vector<Entry>> rounds{{states_[begin]}};
  std::size_t n = begin;
  // Behind the nodes that adapt all is as before; until nothing is left of the change.
  auto settled = [&] {
    return n >= end && rounds.back().size() == 1 && rounds.back()[0].state == states_[n].state;
  };
  for (; n < path.size() && !settled(); ++n) {
    const bool fixed = n >= end;
    const Choices& own = n == node ? all : choices(n);
    rounds.push_back(advance(rounds.back(), n, own,
                             n == node ? others
                             : fixed   ? std::vector<int>{path[n]}
                                       : indexes_of(own)));
  }
  Entry usual = states_[n];
  if (n == path.size()) {
    deliver(usual);
    for (Entry& entry : rounds.back()) deliver(entry);
  }
  for (std::size_t e = 0; e < rounds.back().size(); ++e) {
    const double more = rounds.back()[e].cost - usual.cost;
    if (more >= best.more) continue;
    best.more = more;
    auto at = static_cast<int>(e);
    for (std::size_t r = rounds.size() - 1; r > node - begin + 1; --r) {
      at = rounds[r][static_cast<std::size_t>(at)].parent;
    }
    best.choice = rounds[node - begin + 1][static_cast<std::size_t>(at)].choice;
  }
  return best;
}

}  // namespace tpinfer::shard
