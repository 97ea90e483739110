// A method: a graph with operators before and after it, all of them one graph to the planner, so
// that nothing is gathered between. The JSON form is specified in docs/model-format.md.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

// The name or index of the graph that a method runs; "" when it has operators only. Throws
// Fault::data naming method and key: unknown keys, wrong types.
std::string graph_of_method(const std::string& name, const std::string& json);

// The method as one graph: preprocess, the nodes of `graph` (null without one), postprocess.
//   x -Add-> x2, the graph's input x is x2, its output y is y: nodes Add, MatMul, Neg; input x
// The graph's nodes keep their names, for --strategy; a node of the method with the same name is
// called <method>.<name>. Tensors inside the graph whose names the method uses are renamed
// likewise, to <graph>.<name>. Throws Fault::data: what parse_graph throws, the method named, and
// maps that name what the graph does not have.
Graph compose_method(const std::string& name, const std::string& json, const Graph* graph,
                     const std::vector<std::string>& known_weights);

}  // namespace tpinfer::shard
