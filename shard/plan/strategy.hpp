// What a user demands of single operators: ((1,8),(8,1)), one tuple per input, one number of equal
// cuts per dimension (the seeds' form; docs/command-line.md, Strategies).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

// A strategy and the nodes it is meant for.
struct StrategyEntry {
  std::string name;  // a node's; a pattern with * and ?; or an operator's in any case
  Strategy strategy;
  std::optional<int> stage = {};  // the pipeline stage, where a strategy file says it
  std::string file = {};          // the strategy file, where the name is a node's and no pattern;
                                  // empty: the command line
};

// A later entry wins over an earlier one; a node's name over a pattern, a pattern over an operator.
using Strategies = std::vector<StrategyEntry>;

// The value of --strategy: "NODE=((1,8),(8,1))" or "FILE.json", several separated by ';'.
//   strategy_files   the files that it names, in order
//   parse_strategies all entries; `files` has the text of each of those files by its name
// Throws Fault::usage with the expected form (strategy_file.hpp says more of files).
std::vector<std::string> strategy_files(const std::string& text);
Strategies parse_strategies(const std::string& text,
                            const std::map<std::string, std::string>& files = {});

std::string to_text(const Strategy& strategy);

// Whether a name fits a pattern: '*' stands for any characters, also none, '?' for one character.
bool matches_pattern(const std::string& pattern, const std::string& name);

// A Gemm's strategy, given in its own form ((a,b),(c,b)) with transB and perhaps an entry for C, as
// that of the MatMul which it becomes: ((a,b),(b,c)). C follows the product: its numbers must be 1
// or the product's, else `fault`, the message beginning with `who`.
Strategy strategy_of_product(const std::string& who, const GemmOrigin& gemm,
                             const Strategy& strategy, Fault fault);

// Whether the entry is meant for a node of the graph.
bool speaks_of(const StrategyEntry& entry, const BoundGraph& graph);

// A node's demand as cuts per factor of its rule.
struct FactorCuts {
  std::vector<int> factors;    // in device_order (device_matrix.hpp), only those cut more than once
  std::vector<int> parts;      // same length
  std::string who = {};        // "MatMul fc: strategy ((1,8),(8,1))", for messages
  Fault fault = Fault::usage;  // of a conflict with another demand
  std::optional<int> stage = {};  // as the entry's
};

// Checks a strategy against a node: number of entries, ranks, values >= 1, whole factors uncut,
// cuts of one factor agree over the inputs, extent % cuts == 0 (unless `uneven`), and the product
// divides the number of ranks. Throws Fault::usage or, `from_file` (the model's), Fault::data,
// naming node, dimension, sizes and the legal values.
FactorCuts check_strategy(const BoundNode& node, const Strategy& strategy, int ranks, bool uneven,
                          bool from_file);

// The demands on a graph's nodes: given ones, else from the model file. Throws as check_strategy
// does, and Fault::usage for an entry that is meant for no node, with names near it.
std::vector<std::optional<FactorCuts>> demands_of(const BoundGraph& graph, const Strategies& given,
                                                  int ranks, bool uneven);

// The coarsest mesh on which all demands and the axes that the user asked for (--mesh tp=2x2; may
// be empty) are whole axes: {tp: ranks} without any, {2,2,2} for ((2,2),(2,2)) on 8 ranks. A demand
// that uses fewer ranks is repeated over a last axis. Throws the demands' fault when two of them
// cannot share a mesh.
Mesh mesh_for(const std::vector<std::optional<FactorCuts>>& demands, int ranks,
              const std::vector<int>& asked);

// A demand on that mesh's free axes; a dp axis cuts `batch_factor` (-1 = nothing).
std::vector<Cut> cuts_on(const Mesh& mesh, const FactorCuts& demand, const Rule& rule,
                         int batch_factor);

}  // namespace tpinfer::shard
