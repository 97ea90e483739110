#include "shard/plan/reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shard/plan/cost.hpp"
#include "shard/plan/search.hpp"

namespace tpinfer::shard {
namespace {

int index_of(const Choices& choices, const Decision& decision) {
  const auto at = std::find(choices.decisions.begin(), choices.decisions.end(), decision);
  return at == choices.decisions.end() ? -1 : static_cast<int>(at - choices.decisions.begin());
}

std::string signed_text(double cost) {
  return fmt::format("{}{}", cost < 0 ? "-" : "+", duration_text(seconds_of(std::abs(cost))));
}

class Reasons {
 public:
  Reasons(const BoundGraph& graph, const Plan& plan, const PlanOptions& options,
          const std::vector<std::optional<FactorCuts>>& demands)
      : graph_(graph), plan_(plan), moves_(graph, plan.mesh, options, demands) {
    // A memory limit may have made the planner leave weights whole.
    fastest_ = options.fastest;
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      fastest_ = fastest_ || index_of(moves_.choices(n, false), plan.decisions[n]) < 0;
    }
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      path_.push_back(index_of(moves_.choices(n, fastest_), plan.decisions[n]));
    }
    search_.emplace(moves_, fastest_, SearchLimits{});
  }

  std::string of(std::size_t n) {
    const Rule& rule = graph_.nodes[n].rule;
    const Choices& allowed = moves_.choices(n, fastest_);
    std::string text =
        fmt::format("{}: {}, {}", label_of(graph_.nodes[n].node), text_of(rule, plan_.decisions[n]),
                    duration_text(seconds_of(search_->paid_at(path_, n))));
    if (moves_.fixed()[n].batch_factor >= 0) {
      text +=
          fmt::format("; dp cuts {}",
                      rule.factors[static_cast<std::size_t>(moves_.fixed()[n].batch_factor)].name);
    }
    if (moves_.demanded(n)) text += "; its strategy says so";
    std::vector<int> others;
    for (std::size_t c = 0; c < allowed.decisions.size(); ++c) {
      if (static_cast<int>(c) != path_[n]) others.push_back(static_cast<int>(c));
    }
    const Search::Instead next = search_->instead(path_, n, allowed, others);
    if (next.choice >= 0) {
      text += fmt::format("; next best: {}, {}", text_of(rule, decision(allowed, next.choice)),
                          signed_text(next.more));
    } else if (!moves_.demanded(n)) {
      text += "; no other choice";
    }
    return text + forbidden(n, rule, allowed);
  }

 private:
  static const Decision& decision(const Choices& choices, int c) {
    return choices.decisions[static_cast<std::size_t>(c)];
  }

  std::string text_of(const Rule& rule, const Decision& one) const {
    return decision_text(rule, one, plan_.mesh);
  }

  // What --plan cut rules out although it is predicted to be faster.
  std::string forbidden(std::size_t n, const Rule& rule, const Choices& allowed) {
    if (fastest_ || moves_.demanded(n)) return "";
    const Choices& all = moves_.choices(n, true);
    std::vector<int> others;
    for (std::size_t c = 0; c < all.decisions.size(); ++c) {
      if (index_of(allowed, all.decisions[c]) < 0) others.push_back(static_cast<int>(c));
    }
    const Search::Instead best = search_->instead(path_, n, all, others);
    if (best.choice < 0 || best.more >= 0) return "";
    return fmt::format("; --plan cut rules out: {}, {}", text_of(rule, decision(all, best.choice)),
                       signed_text(best.more));
  }

  const BoundGraph& graph_;
  const Plan& plan_;
  Moves moves_;
  bool fastest_ = false;
  std::vector<int> path_;
  std::optional<Search> search_;
};

}  // namespace

std::string duration_text(double seconds) {
  static constexpr std::pair<double, const char*> kUnits[] = {
      {1e-9, "ns"}, {1e-6, "us"}, {1e-3, "ms"}};
  for (const auto& [unit, name] : kUnits) {
    const double value = seconds / unit;
    if (value < 9.995) return fmt::format("{:.2f} {}", value, name);
    if (value < 99.95) return fmt::format("{:.1f} {}", value, name);
    if (value < 999.5) return fmt::format("{:.0f} {}", value, name);
  }
  return fmt::format("{:.2f} s", seconds);
}

std::string decision_text(const Rule& rule, const Decision& decision, const Mesh& mesh) {
  std::string text;
  for (const Cut& c : decision.cuts) {
    const Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
    text += fmt::format("{}{}/{}", text.empty() ? "cut " : ", ", factor.name, mesh.size_of(c.axes));
    if (c.by_leaf && !factor.contracted) text += " at leaves";
  }
  for (const Placement& p : decision.resolution) {
    if (p.kind != Placement::Kind::shard) continue;
    text += fmt::format(", the sum scattered over d{}{}", p.dim,
                        decision.resolution_division.by_leaf ? " at leaves" : "");
    break;
  }
  return text.empty() ? "whole" : text;
}

std::vector<std::string> reasons(const BoundGraph& graph, const Plan& plan,
                                 const PlanOptions& options) {
  std::vector<std::string> lines;
  if (plan.mesh.size() == 1) return lines;
  const auto demands = demands_of(graph, options.strategies,
                                  tensor_ranks(options.mesh, plan.mesh.size()), options.uneven);
  Reasons all(graph, plan, options, demands);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) lines.push_back(all.of(n));
  return lines;
}

}  // namespace tpinfer::shard
