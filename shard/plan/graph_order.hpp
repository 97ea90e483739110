// The order of a graph's nodes.
#pragma once

#include <set>
#include <string>

#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

// Sorts graph.nodes so that every tensor is made before it is used; of the nodes that could come
// next, the one that was earliest in the file does. `given` are the names nobody makes: graph
// inputs, states, weights. Throws Fault::data for a tensor that has two makers or none, and for a
// cycle, naming the nodes on it.
void sort_nodes(Graph& graph, const std::set<std::string>& given);

// The weight a name stands for: itself, or "w" for the view "w[:,0:64]".
std::string weight_of(const std::string& name, const std::set<std::string>& known);

}  // namespace tpinfer::shard
