// The inputs of a library call: checked, copied to where it wants them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <tpinfer/tpinfer.hpp>

#include "kernels/base/view.hpp"
#include "shard/plan/bound_graph.hpp"
#include "shard/plan/signature.hpp"

namespace tpinfer::launch {

// The inputs in the signature's order, out of `given` in any order. Throws Fault::data for one that
// is missing, unknown, given twice, of another type or shape, or without memory.
std::vector<Input> match_inputs(const shard::Signature& signature, const std::vector<Input>& given);

// The symbols' values by the shapes of matched inputs. Throws Fault::data for two that disagree and
// for one beyond `most`.
shard::Symbols extents_of(const shard::Signature& signature, const std::vector<Input>& matched,
                          const shard::Symbols& most);

std::vector<ValueInfo> describe_inputs(const shard::Signature& signature);

}  // namespace tpinfer::launch
