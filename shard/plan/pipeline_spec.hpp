// A pipeline: graphs and methods called one after the other, also in loops. The JSON form is
// specified in docs/model-format.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shard/plan/signature.hpp"

namespace tpinfer::shard {

// How often a loop runs: a number, the value of a one-element integer tensor, or an extent.
struct Repeat {
  std::int64_t count = 0;  // used when `tensor` is empty
  std::string tensor;
  int dimension = -1;  // >= 0: the extent of `tensor` along it, not its value
};

// A call or a loop. Names are variables: a step that makes one again replaces it.
struct PipelineStep {
  std::string where;  // "step 2", "step 2.1": for messages
  // A call:
  std::string callee;                                        // of a graph or method
  bool is_method = false;                                    // else a graph, by name or index
  std::vector<std::pair<std::string, std::string>> inputs;   // the callee's name, the variable
  std::vector<std::pair<std::string, std::string>> outputs;  // the same
  // A loop:
  bool is_loop = false;
  Repeat repeat;
  std::vector<std::pair<std::string, std::string>> carry;  // variable <- variable, after each time
  std::string until;                                       // "" = none
  std::vector<PipelineStep> steps;
};

struct PipelineSpec {
  std::string name;
  std::vector<ValueSpec> inputs;
  std::vector<std::string> outputs;
  std::vector<PipelineStep> steps;
  int file = 0;  // of several model files, the one that has it

  Signature signature() const { return {name, inputs, outputs, Signature::Kind::pipeline, file}; }
};

// How often a loop may run at most.
inline constexpr std::int64_t kMaxRepeat = 1'000'000;

// Signature of a graph or method; throws Fault::data when there is none.
using FindCallee = std::function<Signature(const std::string& callee, bool is_method)>;

// Parses and checks all that can be known before extents are: unknown keys, callees, their inputs
// and outputs, variables that nobody gave a value. An input without a type has that of the first
// callee's input it goes into; a symbol of another call than the first that uses it is called
// symbol@step. Throws Fault::data naming pipeline, step and name.
PipelineSpec parse_pipeline(const std::string& name, const std::string& json,
                            const FindCallee& find);

}  // namespace tpinfer::shard
