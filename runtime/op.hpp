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
};

// All operators by ONNX name (plus Scale, which lower() makes of Gemm's alpha and beta). To add
// one: runtime/ops/<op>.cpp and one line in operator_table.cpp.
const std::map<std::string, Operator>& operator_table();

// The rules alone, as the planner wants them.
const shard::RuleTable& rule_table();

}  // namespace tpinfer::runtime
