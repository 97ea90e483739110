// A pipeline on all ranks: its steps, one after the other, over graphs that are planned and loaded.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "launch/graph_runner.hpp"
#include "runtime/memory.hpp"
#include "shard/plan/pipeline_spec.hpp"

namespace tpinfer::launch {

// Every rank holds every variable whole and in the same bits, so that all ranks decide alike how
// often a loop runs, and nothing goes through rank 0 between two steps.
class PipelineRunner {
 public:
  // `graph_of` gives the graph that a call runs. All outlive this. Local.
  PipelineRunner(const shard::PipelineSpec& spec,
                 const std::function<GraphRunner&(const shard::PipelineStep&)>& graph_of);

  // Follows types and shapes through the steps. Local. Throws Fault::data naming step, tensor and
  // both shapes where they do not fit: a call's input, a variable that a loop changes, a "repeat"
  // that is no integer.
  void infer(const shard::Symbols& symbols);
  // The outputs on other extents; changes nothing. Local, throws as infer().
  std::vector<shard::Tensor> outputs_on(const shard::Symbols& symbols) const;
  // After infer(): the extents of the largest call of each graph.
  std::map<GraphRunner*, shard::Symbols> largest_calls() const;
  // Bytes of the variables.
  std::size_t bytes() const;

  // Makes room for the variables of infer(). Local.
  void allocate();
  // Whether both have succeeded since infer() was last called.
  bool ready() const { return ready_; }

  View input(std::size_t i) const { return view(inputs_[i]); }
  View output(std::size_t i) const { return view(outputs_[i]); }
  const shard::Tensor& output_tensor(std::size_t i) const { return outputs_[i]; }

  // Collective. Throws comm::AgreedError, Fault::data, naming the step, when a loop shall run a
  // number of times that is not legal.
  void run();

 private:
  using Variables = std::map<std::string, shard::Tensor>;
  struct Call {
    GraphRunner* graph = nullptr;
    shard::Symbols symbols;
    std::vector<shard::Tensor> outputs;  // as the step names them
    std::vector<std::size_t> numbers;    // of them among the graph's outputs
  };
  struct Loop {
    bool makes_new = false;  // a variable that has no value before
    shard::Tensor repeat, until;
    std::vector<std::pair<shard::Tensor, shard::Tensor>> carry;
  };

  void infer(const std::vector<shard::PipelineStep>& steps, Variables& variables);
  void infer_call(const shard::PipelineStep& step, Variables& variables);
  void infer_loop(const shard::PipelineStep& step, Variables& variables);
  void set(Variables& variables, const std::string& name, shard::Tensor tensor);
  void run(const std::vector<shard::PipelineStep>& steps);
  void run_call(const shard::PipelineStep& step);
  void run_loop(const shard::PipelineStep& step);
  View view(const shard::Tensor& tensor) const;

  const shard::PipelineSpec& spec_;
  std::map<const shard::PipelineStep*, Call> calls_;
  std::map<const shard::PipelineStep*, Loop> loops_;
  std::vector<shard::Tensor> inputs_, outputs_;
  bool ready_ = false;
  std::map<std::string, std::size_t> sizes_;  // of variables: the largest that one ever is
  std::map<std::string, runtime::Block> blocks_;
};

}  // namespace tpinfer::launch
