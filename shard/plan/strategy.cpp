#include "shard/plan/strategy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shard/plan/device_matrix.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::int64_t kManyParts = std::int64_t{1} << 30;  // products stay below 2^63

Shape input_shape(const Rule& rule, std::size_t input) {
  Shape shape;
  for (const RuleDim& dim : rule.inputs[input]) {
    shape.push_back(1);
    for (int f : dim) shape.back() *= rule.factors[static_cast<std::size_t>(f)].extent;
  }
  return shape;
}

std::string input_shapes(const Rule& rule) {
  std::string text;
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) text += " " + to_text(input_shape(rule, i));
  return text;
}

// " 1 2 4 8": what divides the ranks and, unless cut unevenly, the extent.
std::string legal_values(std::int64_t extent, int ranks) {
  std::string text;
  for (int value = 1; value <= ranks; ++value) {
    if (extent % value == 0 && ranks % value == 0) text += fmt::format(" {}", value);
  }
  return text;
}

// Goes through a strategy's numbers and collects the cuts per factor.
class Checker {
 public:
  Checker(const Rule& rule, std::string who, Fault fault, int ranks, bool uneven)
      : rule_(rule), who_(std::move(who)), fault_(fault), ranks_(ranks), uneven_(uneven) {
    parts_.resize(rule.factors.size());
    where_.resize(rule.factors.size());
  }

  void check_form(const Strategy& strategy) const {
    if (strategy.size() != rule_.inputs.size()) {
      refuse(fmt::format("{} {} for {} inputs; wanted one for each of{}", strategy.size(),
                         strategy.size() == 1 ? "entry" : "entries", rule_.inputs.size(),
                         input_shapes(rule_)));
    }
    for (std::size_t i = 0; i < strategy.size(); ++i) {
      if (strategy[i].size() == rule_.inputs[i].size()) continue;
      refuse(fmt::format("{} {} for input {} of shape {}", strategy[i].size(),
                         strategy[i].size() == 1 ? "number" : "numbers", i,
                         to_text(input_shape(rule_, i))));
    }
  }

  void check_value(std::size_t input, std::size_t dim, std::int64_t value) {
    const std::string where = fmt::format("dimension {} of input {}", dim, input);
    if (value < 1) refuse(fmt::format("{}: {} parts; the least is 1", where, value));
    const RuleDim& factors = rule_.inputs[input][dim];
    if (factors.empty()) {
      if (value > 1)
        refuse(fmt::format("{}: extent 1 cannot be cut into {}; legal: 1", where, value));
      return;
    }
    const auto f = static_cast<std::size_t>(factors[0]);
    const Factor& factor = rule_.factors[f];
    // A compound is cut between its leading factor's units.
    const std::int64_t extent = factor.extent;
    const std::string what =
        factors.size() == 1
            ? fmt::format("extent {} is", extent)
            : fmt::format("{} units of {} are", extent,
                          extent == 0 ? 0 : input_shape(rule_, input)[dim] / extent);
    if (value > 1 && (factor.whole || (!factor.cuttable && extent > 1))) {
      refuse(fmt::format("{}: the operator needs extent {} whole, not cut into {}; legal: 1", where,
                         extent, value));
    }
    if (value > 1 && !uneven_ && extent % value != 0) {
      refuse(fmt::format("{}: {} not divisible by {}; legal:{}; or --uneven", where, what, value,
                         legal_values(extent, ranks_)));
    }
    if (parts_[f] != 0 && parts_[f] != value) {
      refuse(
          fmt::format("{} is cut into {} and {} into {}; both are factor {} of extent {}, whose "
                      "cuts must agree; legal:{}",
                      where_[f], parts_[f], where, value, factor.name, extent,
                      legal_values(uneven_ ? 0 : extent, ranks_)));
    }
    parts_[f] = value;
    where_[f] = where;
  }

  FactorCuts finish() const {
    FactorCuts cuts;
    std::int64_t product = 1;
    std::string list;
    for (int f : device_order(rule_)) {
      const std::int64_t parts = std::min(parts_[static_cast<std::size_t>(f)], kManyParts);
      if (parts < 2) continue;
      cuts.factors.push_back(f);
      cuts.parts.push_back(static_cast<int>(parts));
      list += fmt::format("{}{}", list.empty() ? "" : " x ", parts);
      product *= parts;
      if (product > ranks_) break;
    }
    if (product > ranks_ || ranks_ % product != 0) {
      refuse(
          fmt::format("its {} parts need {} ranks, the run has {}, which {} does not divide; "
                      "legal products:{}",
                      list, product, ranks_, product, legal_values(0, ranks_)));
    }
    cuts.who = who_;
    cuts.fault = fault_;
    return cuts;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { fail(fault_, who_ + ": " + why); }

  const Rule& rule_;
  std::string who_;
  Fault fault_;
  int ranks_;
  bool uneven_;
  std::vector<std::int64_t> parts_;  // per factor; 0: not seen yet
  std::vector<std::string> where_;   // it was seen last
};

}  // namespace

FactorCuts check_strategy(const BoundNode& bound, const Strategy& strategy, int ranks, bool uneven,
                          bool from_file) {
  Checker checker(bound.rule,
                  fmt::format("{}: strategy {}", label_of(bound.node), to_text(strategy)),
                  from_file ? Fault::data : Fault::usage, ranks, uneven);
  checker.check_form(strategy);
  for (std::size_t i = 0; i < strategy.size(); ++i) {
    for (std::size_t d = 0; d < strategy[i].size(); ++d) checker.check_value(i, d, strategy[i][d]);
  }
  return checker.finish();
}

Mesh mesh_for(const std::vector<std::optional<FactorCuts>>& demands, int ranks,
              const std::vector<int>& asked) {
  // The products of the leading axes, and whose they are.
  std::map<int, const FactorCuts*> borders{{ranks, nullptr}};
  int leading = 1;
  for (int size : asked) borders.try_emplace(leading *= size, nullptr);
  for (const auto& demand : demands) {
    if (!demand) continue;
    int product = 1;
    for (int parts : demand->parts) borders.try_emplace(product *= parts, &*demand);
  }
  Mesh mesh;
  int before = 1;
  const FactorCuts* owner = nullptr;
  for (const auto& [border, demand] : borders) {
    if (border == 1) continue;
    if (border % before != 0) {
      // An axis that --mesh asks for has no demand.
      auto who = [](const FactorCuts* one) { return one ? one->who : std::string("--mesh tp"); };
      const bool same = owner && demand && owner->fault == demand->fault;
      fail(same ? owner->fault : Fault::usage,
           fmt::format("{} cuts the {} ranks into {} and {} cuts them into {} parts, which "
                       "share no mesh; one number must divide the other",
                       who(owner), ranks, before, who(demand), border));
    }
    mesh.axes.push_back({"", border / before});
    before = border;
    owner = demand;
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
