// How something that can be run is called: its name, what it takes, what it returns.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

// Of a graph, a method or a pipeline.
struct Signature {
  std::string name;
  std::vector<ValueSpec> inputs;
  std::vector<std::string> outputs;  // types and shapes follow from the extents of the inputs
};

Signature signature_of(const Graph& graph);

}  // namespace tpinfer::shard
