// What a user demands of single operators: ((1,8),(8,1)), one tuple per input, one number of equal
// cuts per dimension (the seeds' form; docs/command-line.md, --strategy).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

// "matmul=((1,8),(8,1))", several separated by ';'. The name is a node's, or an operator's in any
// case, which means each of its nodes. Throws Fault::usage with the expected form.
std::map<std::string, Strategy> parse_strategies(const std::string& text);

std::string to_text(const Strategy& strategy);

// A node's demand as cuts per factor of its rule.
struct FactorCuts {
  std::vector<int> factors;  // in rule order, only those cut more than once
  std::vector<int> parts;    // same length
};

// Checks a strategy against a node: number of entries, ranks, values >= 1, cuts of one factor
// agree over the inputs, whole factors uncut, extent % cuts == 0 (unless `uneven`), and the
// product divides the number of ranks. Throws Fault::usage or, `from_file`, Fault::data, naming
// node, dimension, sizes and the legal values.
FactorCuts check_strategy(const BoundNode& node, const Strategy& strategy, int ranks, bool uneven,
                          bool from_file);

// The demands on a graph's nodes: from the command line, else from the file.
std::vector<std::optional<FactorCuts>> demands_of(const BoundGraph& graph,
                                                  const std::map<std::string, Strategy>& given,
                                                  int ranks, bool uneven);

// The coarsest mesh on which all demands and the axes that the user asked for (--mesh tp=2x2; may
// be empty) are whole axes: {tp: ranks} without any, {2,2,2} for ((2,2),(2,2)) on 8 ranks. A demand
// that uses fewer ranks is repeated over a last axis. Throws Fault::usage when two demands cannot
// share a mesh.
Mesh mesh_for(const std::vector<std::optional<FactorCuts>>& demands, int ranks,
              const std::vector<int>& asked);

// A demand on that mesh's free axes; a dp axis cuts `batch_factor` (-1 = nothing).
std::vector<Cut> cuts_on(const Mesh& mesh, const FactorCuts& demand, const Rule& rule,
                         int batch_factor);

}  // namespace tpinfer::shard
