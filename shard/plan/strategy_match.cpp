// Which strategy is meant for which node.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>

#include "shard/plan/strategy.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool is_pattern(const StrategyEntry& entry) {
  return entry.file.empty() && entry.name.find_first_of("*?") != std::string::npos;
}

// How an entry names a node, the strongest last; `lowered`: it means the MatMul of a Gemm.
enum class Match { none, operator_name, pattern, name };

Match match(const StrategyEntry& entry, const Node& node) {
  if (entry.name == node.name) return Match::name;
  if (!entry.file.empty()) return Match::none;
  if (is_pattern(entry)) {
    return matches_pattern(entry.name, node.name) ? Match::pattern : Match::none;
  }
  const std::string name = lower_case(entry.name);
  const bool same = name == lower_case(node.op) || (node.gemm && name == "gemm");
  return same ? Match::operator_name : Match::none;
}

// Insertions, deletions and replacements between two names.
std::size_t edits_between(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

[[noreturn]] void refuse_unmatched(const BoundGraph& graph, const StrategyEntry& entry) {
  const std::string wanted = entry.name.substr(0, kMaxNameBytes);
  std::string near, all;
  for (const BoundNode& bound : graph.nodes) {
    const std::string& name = bound.node.name;
    auto add = [&](std::string& list) {
      if (list.size() < 200) list += (list.empty() ? "" : ", ") + printable(name);
    };
    add(all);
    if (!is_pattern(entry) && edits_between(wanted, name) <= wanted.size() / 3) add(near);
  }
  const std::string names = near.empty() ? "nodes: " + all : "near: " + near;
  const std::string name = printable(entry.name);
  if (!entry.file.empty()) {
    fail(Fault::usage,
         fmt::format("{}: parallel_strategy_item \"{}\": the graph has no such node; {}",
                     entry.file, name, names));
  }
  fail(Fault::usage,
       is_pattern(entry)
           ? fmt::format("--strategy: \"{}\" fits the name of no node; {}", name, names)
           : fmt::format("--strategy: no node or operator is called \"{}\"; {}", name, names));
}

// The demand of one entry on a node that it names.
FactorCuts demand_of(const BoundNode& bound, const StrategyEntry& entry, Match how, int ranks,
                     bool uneven) {
  try {
    Strategy strategy = entry.strategy;
    // "matmul" speaks of the MatMul; everything else of the Gemm as the graph has it.
    const bool as_gemm = bound.node.gemm && (how != Match::operator_name ||
                                             lower_case(entry.name) != lower_case(bound.node.op));
    if (as_gemm) {
      strategy =
          strategy_of_product("Gemm " + bound.node.name, *bound.node.gemm, strategy, Fault::usage);
    }
    FactorCuts cuts = check_strategy(bound, strategy, ranks, uneven, false);
    cuts.stage = entry.stage;
    return cuts;
  } catch (const Error& error) {
    if (entry.file.empty()) throw;
    fail_in(entry.file, error);
  }
}

}  // namespace

bool speaks_of(const StrategyEntry& entry, const BoundGraph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const BoundNode& bound) {
    return match(entry, bound.node) != Match::none;
  });
}

Strategy strategy_of_product(const std::string& who, const GemmOrigin& gemm,
                             const Strategy& strategy, Fault fault) {
  Strategy product = strategy;
  if (product.size() != 3 && product.size() != 2) return product;  // check_strategy says why not
  product.resize(2);
  if (product[0].size() != 2 || product[1].size() != 2) return product;
  if (gemm.trans_a) std::swap(product[0][0], product[0][1]);
  if (gemm.trans_b) std::swap(product[1][0], product[1][1]);
  if (strategy.size() == 2) return product;
  const std::vector<std::int64_t>& c = strategy[2];
  const std::int64_t made[] = {product[0][0], product[1][1]};
  bool fits = c.size() <= 2;
  for (std::size_t d = 0; fits && d < c.size(); ++d) {
    fits = c[d] == 1 || c[d] == made[2 - c.size() + d];
  }
  if (!fits) {
    fail(fault, fmt::format("{}: strategy {}: input 2 follows the product, which is cut into "
                            "({},{}); give it these numbers, 1, or leave it out",
                            who, to_text(strategy), made[0], made[1]));
  }
  return product;
}

std::vector<std::optional<FactorCuts>> demands_of(const BoundGraph& graph, const Strategies& given,
                                                  int ranks, bool uneven) {
  std::vector<std::optional<FactorCuts>> demands(graph.nodes.size());
  std::vector<bool> used(given.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const BoundNode& bound = graph.nodes[n];
    Match best = Match::none;
    const StrategyEntry* wanted = nullptr;
    for (std::size_t e = 0; e < given.size(); ++e) {
      const Match how = match(given[e], bound.node);
      if (how == Match::none) continue;
      used[e] = true;
      if (how >= best) best = how, wanted = &given[e];
    }
    if (wanted != nullptr) {
      demands[n] = demand_of(bound, *wanted, best, ranks, uneven);
    } else if (bound.node.strategy) {
      demands[n] = check_strategy(bound, *bound.node.strategy, ranks, uneven, true);
    }
  }
  for (std::size_t e = 0; e < given.size(); ++e) {
    if (!used[e]) refuse_unmatched(graph, given[e]);
  }
  return demands;
}

}  // namespace tpinfer::shard
