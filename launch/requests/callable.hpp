// What a request may call: a graph that is loaded and waits for inputs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch/run.hpp"
#include "launch/runner.hpp"

namespace tpinfer::launch {

class Callable {
 public:
  // Plans. Collective; throws the same error on all ranks. Without dynamic extents in the
  // options (--batch-size) every symbol is 1 at first; larger ones come with the requests.
  // `method`: a method or pipeline; "" = the graph.
  Callable(const Context& context, const std::string& graph, const std::string& method);

  const std::string& name() const { return name_; }
  const shard::Signature& signature() const { return runner_->signature(); }
  const std::vector<shard::ValueSpec>& inputs() const { return runner_->signature().inputs; }
  const std::vector<std::string>& outputs() const { return runner_->signature().outputs; }
  // The symbols of the inputs' extents, sorted.
  const std::vector<std::string>& symbols() const { return symbols_; }
  // The symbol whose rows several requests may share; "" = none.
  const std::string& batch() const { return batch_; }

  // Element types and shapes of the outputs. Throws Fault::data where the graph does not fit
  // together on these extents. Local.
  std::vector<shard::Tensor> outputs_on(const shard::Symbols& symbols) const;

  // Whether rows of the batch are never mixed, so that several requests can be one run. Local.
  bool rows_stay_apart(const shard::Symbols& symbols) const;

  // `fill` writes the inputs on rank 0. Collective; throws comm::AgreedError where this run is
  // refused on all ranks (no memory), and the next one may come.
  void run(const shard::Symbols& symbols, const std::function<void(std::size_t, View)>& fill);
  // After run(): whole, on every rank, until the next one.
  View output(std::size_t i) const { return runner_->output(i); }

  Runner& runner() { return *runner_; }

 private:
  Options options_;
  std::unique_ptr<Runner> runner_;
  std::string name_, batch_;
  std::vector<std::string> symbols_;
  mutable std::map<shard::Symbols, bool> apart_;  // what has been found, by the other extents
};

// The graphs of the model in index order, then its methods and pipelines; with --graph or --method
// that one alone. Loaded, but for a dry run.
// Collective.
std::vector<std::unique_ptr<Callable>> load_callables(const Context& context);

// The figures of this rank over all of them.
RankTimes times_of(std::vector<std::unique_ptr<Callable>>& callables);

}  // namespace tpinfer::launch
