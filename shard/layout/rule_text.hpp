// A rule's text as its parts: what rule.hpp's grammar says, before any shape is known.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

// A dimension as written: factor names (with their !), none for "1", or the ellipsis.
struct TextDim {
  std::vector<std::string> names;
  bool ellipsis = false;
};
using Term = std::vector<TextDim>;  // a tensor's dimensions

struct RuleTerms {
  std::vector<Term> inputs, outputs;
};

// Fault::internal: the operator's author wrote a rule that says nothing.
[[noreturn]] void malformed_rule(const std::string& text, const std::string& why);

RuleTerms parse_rule(const std::string& text);

// Replaces "..." by dimensions "_k", k counted from the right, of the widest input. An extent of 1
// where another input has more broadcasts.
void expand_ellipses(RuleTerms& terms, const std::vector<Shape>& inputs);

}  // namespace tpinfer::shard
