// Which pipeline stage runs which node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// One stage per node: consecutive runs of the graph's order, such that the slowest stage takes as
// little as possible by the cost table (the earliest such borders). Nodes in `given` run where it
// says; the nodes between follow the node before them. Throws Fault::usage naming the node for a
// stage that does not exist, and the number of nodes when there are fewer than stages.
std::vector<int> assign_stages(const BoundGraph& graph, int stages,
                               const std::map<std::string, int>& given, const CostTable& costs);

}  // namespace tpinfer::shard
