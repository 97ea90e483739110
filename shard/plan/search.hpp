// The planner's search: a dynamic programme over the nodes whose state is the set of layouts in
// which each live tensor exists.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "shard/plan/moves.hpp"

namespace tpinfer::shard {

// One label per live tensor: a holding of Moves, -1 = a weight that was not used yet.
using State = std::vector<int>;

struct Entry {
  State state;
  double cost = 0;
  // With a memory limit: weight bytes of a rank, the most of finished stages and then per stage.
  std::vector<std::int64_t> bytes;
  int parent = -1;  // entry of the round before
  int choice = -1;  // of the node's choices
};

struct Found {
  std::vector<Decision> decisions;
  double cost = 0;
  std::int64_t weight_bytes = 0;  // of the rank with the most; 0 without a limit
};

struct SearchLimits {
  double cost = std::numeric_limits<double>::infinity();  // only plans that are cheaper
  std::optional<std::int64_t> weight_bytes;               // per rank; set = cost and bytes count
  double byte_price = 0;  // picoseconds added to the cost per byte of weights on a rank
};

// An entry is dropped when another one is no worse whatever follows; that is proven by what each
// could pay at most (penalty()). Only when there are more entries than kMostSteps allows are the
// dearest dropped unproven.
class Search {
 public:
  Search(Moves& moves, bool fastest, const SearchLimits& limits);

  // The cheapest plan; with a memory limit all plans of which none is cheaper and needs no more,
  // the cheapest first. Empty when limits leave none.
  std::vector<Found> run();
  // Whether nothing was dropped unproven.
  bool proven() const { return proven_; }

  // What a plan would cost more if `node` took one of `others` (of `all`, its choices) instead, the
  // nodes around it adapting; and which. Infinity without others. `path`: the plan's choice of
  // every node.
  struct Instead {
    double more = std::numeric_limits<double>::infinity();
    int choice = -1;
  };
  Instead instead(const std::vector<int>& path, std::size_t node, const Choices& all,
                  const std::vector<int>& others);

  // What the plan pays at a node: computing, sums, resharding its inputs.
  double paid_at(const std::vector<int>& path, std::size_t node);

 private:
  struct Tracked {  // a tensor that states know
    int tensor_class = 0;
    bool weight = false, output = false;
    std::size_t last_use = 0;
    // Who uses it: the node, and the layouts it may want.
    std::vector<std::pair<std::size_t, std::vector<int>>> uses;
  };

  const Choices& choices(std::size_t node) { return moves_.choices(node, fastest_); }
  void track();
  void sum_ahead();
  Entry start();
  Entry move(const Entry& entry, std::size_t node, const Effect& effect);
  bool hopeless(const Entry& entry, std::size_t next) const;
  std::vector<Entry> advance(const std::vector<Entry>& before, std::size_t node,
                             const Choices& choices, const std::vector<int>& indexes);
  void drop_dominated(std::vector<Entry>& entries, std::size_t node);
  void thin_out(std::vector<Entry>& entries);
  void shorten(std::vector<Entry>& entries, std::size_t next);
  bool dominates(const Entry& a, const Entry& b, std::size_t node);
  double penalty(int tracked, int a, int b, std::size_t node);
  void deliver(Entry& entry);
  void follow(const std::vector<int>& path);

  Moves& moves_;
  const bool fastest_;
  const SearchLimits limits_;
  bool proven_ = true;
  std::vector<Tracked> tracked_;
  std::map<std::string, int> tracked_ids_;
  std::vector<std::vector<int>> live_;    // tracked tensors before each node, and at the end
  std::vector<double> least_cost_ahead_;  // of all nodes from here on
  std::vector<std::vector<std::int64_t>> least_bytes_ahead_;  // per node and stage
  std::vector<int> scratch_;                                  // per tracked tensor: its holding
  std::unordered_map<std::uint64_t, double> penalties_;       // of the current node
  std::size_t penalties_of_ = 0;
  std::vector<int> path_;      // the last one that was followed
  std::vector<Entry> states_;  // before each of its nodes, and at the end
};

}  // namespace tpinfer::shard
