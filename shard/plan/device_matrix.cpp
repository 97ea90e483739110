#include "shard/plan/device_matrix.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tpinfer::shard {
namespace {

using Pairs = std::set<std::pair<int, int>>;  // the first factor comes before the second

void add_pairs(Pairs& pairs, const std::vector<std::vector<RuleDim>>& tensors,
               const std::vector<int>& factors) {
  for (const std::vector<RuleDim>& dims : tensors) {
    int before = -1;
    for (const RuleDim& dim : dims) {
      if (dim.empty() || std::find(factors.begin(), factors.end(), dim[0]) == factors.end()) {
        continue;
      }
      if (before >= 0 && before != dim[0]) pairs.insert({before, dim[0]});
      before = dim[0];
    }
  }
}

// The factors sorted so that no pair is turned round; of those that could come next, the first.
// Empty when the pairs contradict each other.
std::vector<int> sorted(std::vector<int> factors, const Pairs& pairs) {
  std::vector<int> order;
  while (!factors.empty()) {
    const auto next = std::find_if(factors.begin(), factors.end(), [&](int f) {
      return std::none_of(factors.begin(), factors.end(), [&](int other) {
        return pairs.contains({other, f});
      });
    });
    if (next == factors.end()) return {};
    order.push_back(*next);
    factors.erase(next);
  }
  return order;
}

std::vector<int> map_entry(const std::vector<int>& order, const RuleDim& dim, std::size_t devices) {
  if (dim.empty()) return {};
  const auto at = std::find(order.begin(), order.end(), dim[0]);
  if (at == order.end()) return {};
  return {static_cast<int>(devices) - 1 - static_cast<int>(at - order.begin())};
}

}  // namespace

std::vector<int> device_order(const Rule& rule) {
  std::vector<int> factors;
  for (const std::vector<RuleDim>& dims : rule.inputs) {
    for (const RuleDim& dim : dims) {
      const bool known =
          dim.empty() || std::find(factors.begin(), factors.end(), dim[0]) != factors.end();
      if (!known) factors.push_back(dim[0]);
    }
  }
  Pairs pairs;
  add_pairs(pairs, rule.inputs, factors);
  Pairs with_outputs = pairs;
  add_pairs(with_outputs, rule.outputs, factors);
  std::vector<int> order = sorted(factors, with_outputs);
  if (order.empty()) order = sorted(factors, pairs);  // a transposition
  return order.empty() ? factors : order;
}

DeviceLayouts device_layouts(const Rule& rule, const FactorCuts& cuts, int ranks) {
  const std::vector<int> order = device_order(rule);
  TensorMap common;
  for (int f : order) {
    const auto cut = std::find(cuts.factors.begin(), cuts.factors.end(), f);
    common.dev_matrix.push_back(
        cut == cuts.factors.end()
            ? 1
            : cuts.parts[static_cast<std::size_t>(cut - cuts.factors.begin())]);
  }
  const std::int64_t repeats = ranks / common.ranks();
  if (repeats > 1) common.dev_matrix.push_back(repeats);
  auto maps_of = [&](const std::vector<std::vector<RuleDim>>& tensors) {
    std::vector<TensorMap> maps;
    for (const std::vector<RuleDim>& dims : tensors) {
      maps.push_back(common);
      for (const RuleDim& dim : dims) {
        maps.back().tensor_map.push_back(map_entry(order, dim, common.dev_matrix.size()));
      }
    }
    return maps;
  };
  return {maps_of(rule.inputs), maps_of(rule.outputs)};
}

}  // namespace tpinfer::shard
