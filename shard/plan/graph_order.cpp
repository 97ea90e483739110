#include "shard/plan/graph_order.hpp"

#include <fmt/format.h>

#include <functional>
#include <queue>
#include <utility>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

using MakerOf = std::map<std::string, std::size_t>;  // tensor name -> index of its node

MakerOf makers_of(const Graph& graph, const std::set<std::string>& given) {
  MakerOf makers;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& output : graph.nodes[i].outputs) {
      if (given.contains(output)) {
        fail(Fault::data, fmt::format("node {}: its output {} is already the name of an input, a "
                                      "state or a weight",
                                      graph.nodes[i].name, output));
      }
      const auto [at, is_new] = makers.emplace(output, i);
      if (!is_new) {
        fail(Fault::data, fmt::format("node {}: its output {} is already made by node {}",
                                      graph.nodes[i].name, output, graph.nodes[at->second].name));
      }
    }
  }
  return makers;
}

// For each node the nodes it waits for, each once.
std::vector<std::set<std::size_t>> waits_of(const Graph& graph, const MakerOf& makers,
                                            const std::set<std::string>& given) {
  std::vector<std::set<std::size_t>> waits(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& input : graph.nodes[i].inputs) {
      if (input.empty()) continue;
      if (const auto maker = makers.find(input); maker != makers.end()) {
        waits[i].insert(maker->second);
      } else if (!given.contains(weight_of(input, given))) {
        fail(Fault::data, fmt::format("node {}: nobody makes its input {}: no node, graph input, "
                                      "state or weight has this name",
                                      graph.nodes[i].name, input));
      }
    }
  }
  return waits;
}

// Follows unmet inputs from a node that never became ready until a node comes twice.
[[noreturn]] void fail_cycle(const Graph& graph, const std::vector<std::set<std::size_t>>& waits,
                             const std::vector<bool>& done) {
  std::vector<std::size_t> path;
  std::vector<bool> seen(graph.nodes.size(), false);
  std::size_t at = 0;
  while (done[at]) ++at;
  while (!seen[at]) {
    seen[at] = true;
    path.push_back(at);
    for (const std::size_t next : waits[at]) {
      if (!done[next]) {
        at = next;
        break;
      }
    }
  }
  std::string text;
  std::size_t begin = 0;
  while (path[begin] != at) ++begin;
  constexpr std::size_t kShown = 8;
  for (std::size_t i = begin; i < path.size() && i - begin < kShown; ++i) {
    text += graph.nodes[path[i]].name + " needs ";
  }
  if (path.size() - begin > kShown) text += "... ";
  fail(Fault::data, fmt::format("the nodes form a cycle: {}{}", text, graph.nodes[at].name));
}

}  // namespace

std::string weight_of(const std::string& name, const std::set<std::string>& known) {
  if (known.contains(name)) return name;
  return name.substr(0, name.find('['));
}

void sort_nodes(Graph& graph, const std::set<std::string>& given) {
  const auto waits = waits_of(graph, makers_of(graph, given), given);
  const std::size_t count = graph.nodes.size();
  std::vector<std::vector<std::size_t>> followers(count);
  std::vector<std::size_t> unmet(count);
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i) {
    unmet[i] = waits[i].size();
    if (unmet[i] == 0) ready.push(i);
    for (const std::size_t maker : waits[i]) followers[maker].push_back(i);
  }
  std::vector<bool> done(count, false);
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t at = ready.top();
    ready.pop();
    done[at] = true;
    order.push_back(at);
    for (const std::size_t follower : followers[at]) {
      if (--unmet[follower] == 0) ready.push(follower);
    }
  }
  if (order.size() < count) fail_cycle(graph, waits, done);
  std::vector<Node> sorted;
  sorted.reserve(count);
  for (const std::size_t at : order) sorted.push_back(std::move(graph.nodes[at]));
  graph.nodes = std::move(sorted);
}

}  // namespace tpinfer::shard
