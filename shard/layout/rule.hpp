// An operator's shapes and sharding in one string.
//
//   MatMul              "m k, k n -> m n"          a factor missing on the right is summed over
//   Add (bias)          "m n, n -> m n"
//   LayerNormalization  "m d!, d!, d! -> m d!"     ! = must be whole on every rank
//   Flatten             "b h w -> b (h w)"         (h w) = row-major compound: only its leading
//                                                  factor can be cut, in grains of the rest
//   broadcasting        "m n, m 1 -> m n"          1 = extent 1, never cut
//   "... m k, k n -> ... m n"                      ... = any leading dimensions, aligned right
// Commas separate tensors; a tensor without dimensions (a scalar, an optional input left out) is
// an empty term.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/shape.hpp"
#include "shard/layout/layout.hpp"

namespace tpinfer::shard {

// What an operator says of one call. Factors that no input dimension determines alone (the parts
// of a compound, extents that only an output has) get their extent from `extents`.
struct RuleText {
  std::string text;
  std::map<std::string, std::int64_t> extents;
};

struct Factor {
  std::string name;
  std::int64_t extent = 0;
  bool whole = false;       // marked !
  bool contracted = false;  // in an input, in no output: a sum runs over it
  bool cuttable = false;    // unmarked, and the leading factor of every dimension it occurs in
};

// The factors of one dimension, major first, as indices into Rule::factors; empty for "1".
using RuleDim = std::vector<int>;

// A rule bound to the shapes of one call.
struct Rule {
  std::vector<Factor> factors;  // in order of first appearance
  std::vector<std::vector<RuleDim>> inputs;
  std::vector<std::vector<RuleDim>> outputs;
};

// Parses and binds. `who` ("MatMul fc2") starts the message of a Fault::data:
// "MatMul fc2: factor k is 4096 in input 0 and 4097 in input 1". A malformed rule text or a
// missing extent is Fault::internal.
Rule bind_rule(const std::string& who, const RuleText& text, const std::vector<Shape>& inputs);

// Output shapes by the rule.
std::vector<Shape> output_shapes(const Rule& rule);

// One cut of a factor over mesh axes (in mesh order).
struct Cut {
  int factor = 0;
  std::vector<int> axes;
  bool by_leaf = false;
  bool operator==(const Cut&) const = default;
};

// The layout that `cuts` give to a tensor of the rule with these dimensions; cut contracted
// factors make an output partial when `is_output`. On a mesh with pipeline stages the tensor is
// held by `stage`.
Layout layout_of(const Rule& rule, const std::vector<RuleDim>& dims, bool is_output,
                 const std::vector<Cut>& cuts, const Mesh& mesh, int stage = 0);

}  // namespace tpinfer::shard
