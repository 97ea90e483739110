// The batch of a graph: which dimension it is at each operator, and whether the graph can be run in
// pieces of it (rows in, rows out, never mixed).
#pragma once

#include <string>
#include <vector>

#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard {

// The symbol at dimension 0 of a graph's inputs; "" when the inputs have none or two.
std::string batch_symbol(const std::vector<ValueSpec>& inputs);

// Follows the rows of that symbol through the rules. `bound` has all rows, at least two: a part of
// them may look harmless by chance (a Slice that happens to keep them all, a weight as long as the
// batch, an extent of 1 that broadcasts). Throws Fault::usage naming the operator that
// contracts them, wants them whole or moves them away from dimension 0 of an output, and an output
// that does not have them; its text begins with `option`, which asks for pieces.
void check_streamable(const Graph& graph, const BoundGraph& bound, const std::string& symbol,
                      const std::string& option = "--batch-size");

// The inputs that carry the batch at dimension 0: those with batch_symbol(); without such a
// symbol those that are as long as the first one.
std::vector<std::string> batch_inputs(const Graph& graph, const BoundGraph& bound);

// Per node the factor of its rule that is the batch, or -1 where rows are mixed, needed at once or
// absent. A dp axis cuts these factors; the bits do not depend on it.
std::vector<int> batch_factors(const BoundGraph& bound, const std::vector<std::string>& inputs);

}  // namespace tpinfer::shard
