// An operator: what it promises (its rule) and what it does on a rank's pieces (its run).
#pragma once

#include <map>
#include <span>
#include <string>

#include "kernels/base/view.hpp"
#include "kernels/math/matmul.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::runtime {

// One node on one rank. Pieces know their place in the global tensor; an optional input that is
// left out has view.data == nullptr. Empty pieces are legal: nothing is computed then.
struct OpCall {
  const shard::Node& node;
  std::span<const Piece> inputs;
  std::span<const Piece> outputs;  // memory that overlaps no input
  kernels::Family family = kernels::Family::eigen;
  bool fast = false;  // --fast: library products on whole matrices
};

struct Operator {
  shard::RuleFunction rule;
  void (*run)(const OpCall& call);  // local; preconditions are the rule's, so it does not fail
  // The attributes that a node may have, with blanks between. "saturate=1" is one of ONNX's that we
  // know with this value alone, its default.
  const char* attributes = "";
};

// All operators by ONNX name (plus Scale, which lower() makes of Gemm's alpha and beta). To add
// one: runtime/ops/<op>.cpp and one line in operator_table.cpp.
const std::map<std::string, Operator>& operator_table();

// Refuses attributes that a node's operator does not know: ignored ones would change what a model
// means. Throws Fault::data naming node, attribute and the known ones. Operators that nobody knows
// are left to shard::bind.
void check_attributes(const shard::Graph& graph);

// The rules alone, as the planner wants them.
const shard::RuleTable& rule_table();

}  // namespace tpinfer::runtime
