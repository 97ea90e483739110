#include "shard/plan/search.hpp"

#include <algorithm>
#include <limits>

namespace tpinfer::shard {
Search::Search(Moves& moves, bool fastest, const SearchLimits& limits)
    : moves_(moves), fastest_(fastest), limits_(limits) {
  track();
  sum_ahead();
}

void Search::track() {
  const BoundGraph& graph = moves_.graph();
  std::map<std::string, int> weight_uses;
  for (const BoundNode& bound : graph.nodes) {
    for (const std::string& input : bound.node.inputs) {
      if (!input.empty() && graph.tensor(input).weight) ++weight_uses[input];
    }
  }
  auto id_of = [&](const std::string& name) {
    const auto [at, fresh] = tracked_ids_.try_emplace(name, static_cast<int>(tracked_.size()));
    if (fresh) {
      Tracked& tensor = tracked_.emplace_back();
      tensor.tensor_class = moves_.class_of(name);
      tensor.weight = graph.tensor(name).weight.has_value();
    }
    return at->second;
  };
  std::vector<std::size_t> born;
  auto bear = [&](const std::string& name, std::size_t node) {
    if (static_cast<std::size_t>(id_of(name)) == born.size()) born.push_back(node);
  };
  for (const std::string& input : graph.inputs) bear(input, 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n].node;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const std::string& input = node.inputs[i];
      if (input.empty()) continue;
      // A weight that is used once is a matter of that node.
      const bool weight = graph.tensor(input).weight.has_value();
      if (weight && (!limits_.weight_bytes || weight_uses.at(input) < 2)) continue;
      bear(input, 0);  // weights; other inputs are known
      Tracked& tensor = tracked_[static_cast<std::size_t>(id_of(input))];
      tensor.last_use = n + 1;
      if (weight) continue;
      std::vector<int>& wanted = tensor.uses.emplace_back(n, std::vector<int>{}).second;
      for (const Effect& effect : choices(n).effects) {
        for (const auto& [slot, layout] : effect.wants) {
          if (slot == static_cast<int>(i)) wanted.push_back(layout);
        }
      }
      std::sort(wanted.begin(), wanted.end());
      wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    }
    for (const std::string& output : node.outputs) {
      if (!output.empty()) bear(output, n + 1);
    }
  }
  for (const std::string& output : graph.outputs) {
    Tracked& tensor = tracked_[static_cast<std::size_t>(id_of(output))];
    tensor.output = true;
    tensor.last_use = graph.nodes.size() + 1;
  }
  live_.resize(graph.nodes.size() + 1);
  for (std::size_t t = 0; t < tracked_.size(); ++t) {
    for (std::size_t n = born[t]; n < live_.size() && n < tracked_[t].last_use; ++n) {
      live_[n].push_back(static_cast<int>(t));
    }
  }
  scratch_.assign(tracked_.size(), -1);
}

void Search::sum_ahead() {
  const std::size_t count = moves_.graph().nodes.size();
  int stages = 1;
  for (const Fixed& fixed : moves_.fixed()) stages = std::max(stages, fixed.stage + 1);
  least_cost_ahead_.assign(count + 1, 0);
  least_bytes_ahead_.assign(count + 1, std::vector<std::int64_t>(static_cast<std::size_t>(stages)));
  for (std::size_t n = count; n-- > 0;) {
    double least = std::numeric_limits<double>::infinity();
    std::int64_t bytes = std::numeric_limits<std::int64_t>::max();
    const Node& node = moves_.graph().nodes[n].node;
    for (const Effect& effect : choices(n).effects) {
      least = std::min(least, effect.cost);
      std::int64_t own = 0;
      for (const auto& [slot, layout] : effect.weights) {
        const std::string& name = node.inputs[static_cast<std::size_t>(slot)];
        if (!limits_.weight_bytes || tracked_ids_.contains(name)) continue;
        own += moves_.bytes(moves_.class_of(name), layout);
      }
      bytes = std::min(bytes, own);
    }
    least_cost_ahead_[n] = least_cost_ahead_[n + 1] + least;
    least_bytes_ahead_[n] = least_bytes_ahead_[n + 1];
    least_bytes_ahead_[n][static_cast<std::size_t>(moves_.fixed()[n].stage)] += bytes;
  }
}

Entry Search::start() {
  Entry entry;
  for (int t : live_[0]) {
    const Tracked& tensor = tracked_[static_cast<std::size_t>(t)];
    entry.state.push_back(tensor.weight ? -1
                                        : moves_.holding(moves_.everywhere(tensor.tensor_class)));
  }
  if (limits_.weight_bytes) entry.bytes.assign(least_bytes_ahead_[0].size() + 1, 0);
  return entry;
}

// What one effect makes of an entry.
Entry Search::move(const Entry& entry, std::size_t n, const Effect& effect) {
  const Node& node = moves_.graph().nodes[n].node;
  Entry next{{}, entry.cost + effect.cost, entry.bytes, -1, -1};
  for (std::size_t i = 0; i < live_[n].size(); ++i) {
    scratch_[static_cast<std::size_t>(live_[n][i])] = entry.state[i];
  }
  for (const auto& [slot, layout] : effect.wants) {
    const int t = tracked_ids_.at(node.inputs[static_cast<std::size_t>(slot)]);
    int& holding = scratch_[static_cast<std::size_t>(t)];
    next.cost += moves_.price(tracked_[static_cast<std::size_t>(t)].tensor_class, holding, layout);
    holding = moves_.with(holding, layout);
  }
  for (const auto& [slot, layout] : effect.makes) {
    scratch_[static_cast<std::size_t>(
        tracked_ids_.at(node.outputs[static_cast<std::size_t>(slot)]))] = moves_.holding(layout);
  }
  for (std::size_t w = 0; limits_.byte_price > 0 && w < effect.weights.size(); ++w) {
    const auto& [slot, layout] = effect.weights[w];
    const int kind = moves_.class_of(node.inputs[static_cast<std::size_t>(slot)]);
    next.cost += limits_.byte_price * static_cast<double>(moves_.bytes(kind, layout));
  }
  if (limits_.weight_bytes) {
    std::int64_t& bytes = next.bytes[1 + static_cast<std::size_t>(moves_.fixed()[n].stage)];
    for (const auto& [slot, layout] : effect.weights) {
      const std::string& name = node.inputs[static_cast<std::size_t>(slot)];
      const std::int64_t own = moves_.bytes(moves_.class_of(name), layout);
      const auto tracked = tracked_ids_.find(name);
      if (tracked == tracked_ids_.end()) {
        bytes += own;
        continue;
      }
      int& holding = scratch_[static_cast<std::size_t>(tracked->second)];
      const int more = holding < 0 ? moves_.holding(layout) : moves_.with(holding, layout);
      if (more != holding) bytes += own;
      holding = more;
    }
  }
  for (int t : live_[n + 1]) next.state.push_back(scratch_[static_cast<std::size_t>(t)]);
  return next;
}

}  // namespace tpinfer::shard
