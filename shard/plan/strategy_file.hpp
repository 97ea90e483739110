// Strategies as a file: the JSON form of MindSpore's ParallelStrategyMap (docs/command-line.md,
// Strategy files).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/layout/tensor_map.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// Who holds which slice of a parameter of this (whole) shape.
struct LayoutItem {
  TensorMap map;
  Shape shape;
};

struct StrategyFile {
  int current_stage = 0;
  Strategies entries;                         // by node name; every entry has the file's name
  std::map<std::string, LayoutItem> layouts;  // by parameter name
};

// Parses the text of a file called `path`. Every slice of every layout is sound: slice_of() does
// not throw. Throws Fault::usage naming file and key: not JSON, unknown or missing keys, wrong
// types, a manual uneven split (field, param_split_shape), a map that does not fit its shape.
StrategyFile parse_strategy_file(const std::string& path, const std::string& text);

// Layouts say how a checkpoint is cut and demand nothing of a plan, but a weight's shape must be
// the model's: else Fault::usage. Returns a note when the file has parameters that are no weights
// of the graph, such as an optimizer's; else "".
std::string check_layouts(const std::string& path, const StrategyFile& file,
                          const BoundGraph& graph);

// A plan as such a file: a strategy per node, and per weight the layout in which its operator holds
// it. `options` are those that made the plan. A node whose cuts a strategy cannot say (axes of the
// mesh in another order, such as rows and columns of a product cut in three) is left out, and
// planned when the file is read.
struct WrittenStrategies {
  std::string text;
  bool uneven = false;             // reading it back takes --uneven
  bool same_plan_option = false;   // and the same --plan, because nodes are left out
  std::vector<std::string> notes;  // nodes left out, weights whose layout cannot be expressed
};

// Reading it back gives the same plan, which is proven by making that plan. Throws Fault::data
// naming a node that is left out when it would not.
WrittenStrategies write_strategy_file(const BoundGraph& graph, const Plan& plan,
                                      const PlanOptions& options);

}  // namespace tpinfer::shard
