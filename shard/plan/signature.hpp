// How something that can be run is called: its name, what it takes, what it returns.
#pragma once

#include <string>
#include <vector>

#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

struct Signature {
  enum class Kind : std::uint8_t { graph, method, pipeline };
  std::string name;
  std::vector<ValueSpec> inputs;
  std::vector<std::string> outputs;  // types and shapes follow from the extents of the inputs
  Kind kind = Kind::graph;
  int file = 0;  // of several model files, the one that has it

  // "graph main", "method predict": for messages.
  std::string label() const;
};

// "(batch,784)": the extents, numbers and symbols.
std::string shape_text(const ValueSpec& spec);

}  // namespace tpinfer::shard
