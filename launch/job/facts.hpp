// What decides the bits of a run's output, so that a later run may go on where it ended.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "launch/run.hpp"
#include "shard/plan/signature.hpp"

namespace tpinfer::launch {

struct Facts {
  // Names and values, for JobProgress::facts: the release and its arithmetic, the model by its
  // content, the graph, and the inputs' names, types and shapes (their values RunJob hashes as they
  // are read). Ranks, mesh, strategies, threads, kernels and batches decide no bits.
  std::vector<std::pair<std::string, std::string>> same;
  // When the model's files changed last. A copy may have other times: then `prove_model` compares
  // all weights with the hashes in the model's manifest; throws Fault::data when one differs or
  // there are none.
  std::string model_times;
  std::function<void()> prove_model;
};

// Local. Valid as long as `context`.
Facts facts_of(const Context& context, const shard::Signature& signature,
               const std::string& inputs);

}  // namespace tpinfer::launch
