// Pieces that rule functions share. All throw Fault::data, the message without the node's name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shard/plan/bound_graph.hpp"

namespace tpinfer::runtime {

using shard::RuleAnswer;
using shard::RuleRequest;

// Refuses a wrong number of inputs (trailing optional ones may be left out).
void want_inputs(const RuleRequest& request, std::size_t least, std::size_t most);

// Refuses an input that is not float32.
void want_float(const RuleRequest& request, std::size_t input);

// Refuses inputs of different element types; returns the common one.
DType common_dtype(const RuleRequest& request);

// An axis as ONNX counts it: negative from the end. Refuses one outside [-dims, dims).
std::size_t axis_of(std::int64_t axis, std::size_t dims);

// The integers that an operator takes as input `input` (a constant weight) or, as older operator
// sets do, as attribute `key`. Empty when neither is given.
std::optional<std::vector<std::int64_t>> integers(const RuleRequest& request, std::size_t input,
                                                  const std::string& key);

// "d0 d1 d2": factors of a tensor, one per dimension.
std::vector<std::string> factors(std::size_t dims);

// "a b c".
std::string term(const std::vector<std::string>& dims);

// NumPy broadcasting over all present inputs: "d0 d1, 1 d1 -> d0 d1".
shard::RuleText broadcast_rule(const RuleRequest& request);

// Inputs beyond the first that are whole on every rank (bounds, shapes): ", _a! _b!" per input.
std::string whole_inputs(const RuleRequest& request, std::size_t first);

}  // namespace tpinfer::runtime
