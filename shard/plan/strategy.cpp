#include "shard/plan/strategy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Python's tuples as a JSON array: "((1,8),(8,1))" -> "[[1,8],[8,1]]"; "(8,)" loses its comma.
Strategy parse_tuples(const std::string& text) {
  std::string json;
  for (char c : text) {
    if (c == ')' && !json.empty() && json.back() == ',') json.pop_back();
    json += c == '(' ? '[' : c == ')' ? ']' : c;
  }
  auto malformed = [&]() {
    fail(Fault::usage, fmt::format("--strategy: \"{}\" is not of the form ((1,8),(8,1)): one tuple "
                                   "per input, one number per dimension",
                                   text));
  };
  Strategy strategy;
  const nlohmann::json tuples = nlohmann::json::parse(json, nullptr, false);
  if (!tuples.is_array()) malformed();
  for (const nlohmann::json& tuple : tuples) {
    if (!tuple.is_array()) malformed();
    strategy.emplace_back();
    for (const nlohmann::json& number : tuple) {
      // A number beyond int64 is parsed as unsigned or as floating-point.
      const bool fits = number.is_number_integer() &&
                        (!number.is_number_unsigned() ||
                         number.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
      if (!fits) malformed();
      strategy.back().push_back(number.get<std::int64_t>());
    }
  }
  return strategy;
}

std::string legal_values(std::int64_t extent, int ranks) {
  std::string text;
  for (int value = 1; value <= ranks; ++value) {
    if (extent % value == 0 && ranks % value == 0) text += fmt::format(" {}", value);
  }
  return text;
}

}  // namespace

std::map<std::string, Strategy> parse_strategies(const std::string& text) {
  std::map<std::string, Strategy> strategies;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(Fault::usage,
           fmt::format("--strategy: \"{}\" is not of the form NODE=((1,8),(8,1))", entry));
    }
    strategies[entry.substr(0, equals)] = parse_tuples(entry.substr(equals + 1));
    begin = end + 1;
  }
  return strategies;
}

std::string to_text(const Strategy& strategy) {
  std::string text = "(";
  for (std::size_t i = 0; i < strategy.size(); ++i) {
    text += fmt::format("{}({}{})", i ? "," : "", fmt::join(strategy[i], ","),
                        strategy[i].size() == 1 ? "," : "");
  }
  return text + ")";
}

FactorCuts check_strategy(const BoundNode& bound, const Strategy& strategy, int ranks, bool uneven,
                          bool from_file) {
  const Fault fault = from_file ? Fault::data : Fault::usage;
  const Rule& rule = bound.rule;
  const std::string who = fmt::format("{}: strategy {}", label_of(bound.node), to_text(strategy));
  if (strategy.size() != rule.inputs.size()) {
    fail(fault,
         fmt::format("{}: {} entries for {} inputs", who, strategy.size(), rule.inputs.size()));
  }
  std::vector<std::int64_t> parts(rule.factors.size(), 0);
  std::vector<std::size_t> seen_in(rule.factors.size(), 0);
  for (std::size_t i = 0; i < strategy.size(); ++i) {
    const std::vector<RuleDim>& dims = rule.inputs[i];
    if (strategy[i].size() != dims.size()) {
      fail(fault, fmt::format("{}: {} numbers for input {}, which has {} dimensions", who,
                              strategy[i].size(), i, dims.size()));
    }
    for (std::size_t d = 0; d < dims.size(); ++d) {
      const std::int64_t value = strategy[i][d];
      const std::string where = fmt::format("{}: dimension {} of input {}", who, d, i);
      if (value < 1) fail(fault, fmt::format("{}: {} cuts; the least is 1", where, value));
      if (dims[d].empty()) {
        if (value > 1) fail(fault, fmt::format("{} has extent 1, cut into {}", where, value));
        continue;
      }
      const auto f = static_cast<std::size_t>(dims[d][0]);
      const Factor& factor = rule.factors[f];
      if (parts[f] != 0 && parts[f] != value) {
        fail(fault, fmt::format("{}: factor {} is cut into {} in input {} and into {} in input {}; "
                                "the cuts must agree",
                                who, factor.name, parts[f], seen_in[f], value, i));
      }
      parts[f] = value;
      seen_in[f] = i;
      if (value == 1) continue;
      if (!uneven && factor.extent % value != 0) {
        fail(fault, fmt::format("{}: extent {} is not divisible by {}; legal:{}; or --uneven",
                                where, factor.extent, value, legal_values(factor.extent, ranks)));
      }
      if (!factor.cuttable && factor.extent > 1) {
        fail(fault, fmt::format("{} must stay whole, cut into {}", where, value));
      }
    }
  }
  FactorCuts cuts;
  std::int64_t product = 1;
  for (std::size_t f = 0; f < parts.size(); ++f) {
    if (parts[f] < 2) continue;
    product *= parts[f];
    cuts.factors.push_back(static_cast<int>(f));
    cuts.parts.push_back(static_cast<int>(std::min<std::int64_t>(parts[f], 1 << 30)));
    if (product > ranks) break;
  }
  if (product > ranks || ranks % product != 0) {
    fail(fault, fmt::format("{}: it needs {} ranks, the run has {}, which {} does not divide", who,
                            product, ranks, product));
  }
  return cuts;
}

std::vector<std::optional<FactorCuts>> demands_of(const BoundGraph& graph,
                                                  const std::map<std::string, Strategy>& given,
                                                  int ranks, bool uneven) {
  std::vector<std::optional<FactorCuts>> demands(graph.nodes.size());
  std::set<std::string> used;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const BoundNode& bound = graph.nodes[n];
    auto wanted = given.find(bound.node.name);
    for (auto it = given.begin(); wanted == given.end() && it != given.end(); ++it) {
      if (lower_case(it->first) == lower_case(bound.node.op)) wanted = it;
    }
    if (wanted != given.end()) {
      used.insert(wanted->first);
      demands[n] = check_strategy(bound, wanted->second, ranks, uneven, false);
    } else if (bound.node.strategy) {
      demands[n] = check_strategy(bound, *bound.node.strategy, ranks, uneven, true);
    }
  }
  for (const auto& [name, strategy] : given) {
    if (used.contains(name)) continue;
    std::string names;
    for (const BoundNode& bound : graph.nodes) {
      if (names.size() < 200) names += (names.empty() ? "" : ", ") + bound.node.name;
    }
    fail(Fault::usage,
         fmt::format("--strategy: no node or operator is called \"{}\"; nodes: {}", name, names));
  }
  return demands;
}

Mesh mesh_for(const std::vector<std::optional<FactorCuts>>& demands, int ranks,
              const std::vector<int>& asked) {
  std::set<int> borders{1, ranks};  // products of the leading axes
  int leading = 1;
  for (int size : asked) borders.insert(leading *= size);
  for (const auto& demand : demands) {
    if (!demand) continue;
    int product = 1;
    for (int parts : demand->parts) borders.insert(product *= parts);
  }
  Mesh mesh;
  int before = 1;
  for (int border : borders) {
    if (border == 1) continue;
    if (border % before != 0) {
      fail(Fault::usage, fmt::format("strategies cut the {} ranks into {} and into {} parts, which "
                                     "share no mesh; use the same cuts",
                                     ranks, before, border));
    }
    mesh.axes.push_back({"", border / before});
    before = border;
  }
  if (mesh.axes.empty()) mesh.axes.push_back({"", 1});
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    mesh.axes[a].name = mesh.axes.size() == 1 ? "tp" : fmt::format("tp{}", a);
  }
  return mesh;
}

std::vector<Cut> cuts_on(const Mesh& mesh, const FactorCuts& demand, const Rule& rule,
                         int batch_factor) {
  std::vector<Cut> cuts;
  int axis = 0;
  while (!mesh.free(axis)) ++axis;
  const int dp = batch_factor < 0 ? -1 : mesh.axis(kDataAxis);
  const auto batch = std::find(demand.factors.begin(), demand.factors.end(), batch_factor);
  if (dp >= 0 && batch == demand.factors.end()) cuts.push_back({batch_factor, {dp}, false});
  for (std::size_t i = 0; i < demand.factors.size(); ++i) {
    Cut c{demand.factors[i], {}, false};
    if (dp >= 0 && c.factor == batch_factor) c.axes.push_back(dp);
    for (int parts = 1; parts < demand.parts[i]; ++axis) {
      parts *= mesh.axes[static_cast<std::size_t>(axis)].size;
      c.axes.push_back(axis);
    }
    c.by_leaf = rule.factors[static_cast<std::size_t>(c.factor)].contracted;
    cuts.push_back(std::move(c));
  }
  return cuts;
}

}  // namespace tpinfer::shard
