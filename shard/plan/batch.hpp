// Whether a graph can be run in pieces of its batch: rows in, rows out, never mixed.
#pragma once

#include <string>

#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard {

// The symbol at dimension 0 of the graph's inputs; "" when the inputs have none or two.
std::string batch_symbol(const Graph& graph);

// Follows the rows of that symbol through the rules. `bound` has all rows, at least two: a part of
// them may look harmless by chance (a Slice that happens to keep them all, a weight as long as the
// batch, an extent of 1 that broadcasts). Throws Fault::usage naming the operator that
// contracts them, wants them whole or moves them away from dimension 0 of an output, and an output
// that does not have them.
void check_streamable(const Graph& graph, const BoundGraph& bound, const std::string& symbol);

}  // namespace tpinfer::shard
