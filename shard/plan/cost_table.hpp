// What a rank computes and moves per second: a stored table (--costs), never timed inside a run, so
// that all ranks choose the same plan. `tpinfer --calibrate` measures one and writes it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace tpinfer::shard {

// The collectives that a plan has; in the order of PlanStep::Kind from all_gather on.
inline constexpr std::array<std::string_view, 5> kCollectiveNames{
    "all-gather", "all-to-all", "all-reduce", "reduce-scatter", "send"};

// Multiply-adds count two. `rows` are the rows of a product on one rank: one row reads its weights
// once for each use, many rows use them from the cache.
struct ProductRate {
  double rows = 1;
  double flops_per_second = 0;
};

// One collective of a group: `seconds` (alpha) plus bytes / bytes_per_second (beta). Bytes are
// those that one rank receives (cost.hpp). `nodes` is 1 for a group inside a node, 2 for a larger
// one.
struct CollectiveRate {
  int ranks = 2;
  int nodes = 1;
  double seconds = 0;
  double bytes_per_second = 0;
};

// The defaults are orders of magnitude of one core of a current server and of shared memory or a
// fast network between ranks; only their ratios matter.
struct CostTable {
  double operator_seconds = 1e-6;        // to start an operator
  double memory_bytes_per_second = 8e9;  // weights and activations, one rank
  std::vector<ProductRate> products{{1, 4e9}, {8, 2e10}, {64, 3e10}};  // rows ascend
  int ranks_per_node = 0;  // ranks r with the same r / ranks_per_node share a node; 0 = all
  // For how many ranks at once a node computes, or reads memory, at the speed of one; 0 = for all.
  double compute_ranks_per_node = 0;
  double memory_ranks_per_node = 0;
  // Per kind: (nodes, ranks) ascend, at least one row of one node.
  std::array<std::vector<CollectiveRate>, 5> collectives = default_collectives();

  static std::array<std::vector<CollectiveRate>, 5> default_collectives();
  bool operator==(const CostTable&) const;
};

// Between rows: linear in the logarithm. Outside: the nearest row.
double product_rate(const CostTable& costs, double rows);

// Seconds of a collective (index into kCollectiveNames) over `ranks` ranks: linear in the logarithm
// of the ranks; beyond the largest group by the last slope, never less than its row. A table
// without rows for several nodes answers with those of one.
double collective_seconds(const CostTable& costs, std::size_t kind, int ranks, bool one_node,
                          double bytes);

inline constexpr std::size_t kMaxCostBytes = std::size_t{1} << 20;

// The JSON form (docs/command-line.md, --costs). Throws Fault::usage, beginning with `where` and
// naming the key: what is missing, unknown, of the wrong type or out of range.
CostTable parse_costs(const std::string& where, const std::string& json);
std::string to_json(const CostTable& costs);

}  // namespace tpinfer::shard
