// A batch on its way through the pipeline stages of a plan.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "runtime/engine.hpp"
#include "runtime/memory.hpp"

namespace tpinfer::runtime {

// Cuts a batch into micro-batches and runs them one behind the other. A rank runs only the steps of
// its own stage and waits only for what it receives, so that while stage 1 works on micro-batch 0,
// stage 0 works on micro-batch 1. The last stage sends the outputs of the whole batch to the
// others.
//   2 stages, 3 micro-batches:   stage 0:  0 1 2 . send
//                                stage 1:  . 0 1 2 send
// Without stages and with one micro-batch it adds nothing to the engine. Of the extents that it has
// run on it keeps the kMaxBindings used last ready, so that any number of sizes may come.
class Pipeline {
 public:
  struct Options {
    std::string batch;      // the symbol whose rows are cut; "" = the batch cannot be cut
    int micro_batches = 1;  // at most; never more than rows
    std::function<shard::BoundGraph(const shard::Symbols&)> bind;
  };
  static constexpr std::size_t kMaxBindings = 16;

  // `engine` is bound to the extents `planned`. Both outlive this. Collective.
  Pipeline(Engine& engine, comm::Communicator& world, Options options,
           const shard::Symbols& planned);

  // The extents of the micro-batch of `symbols` with the most rows: what to plan for.
  static shard::Symbols largest_micro_batch(const Options& options, shard::Symbols symbols);

  // Sets the extents of the next runs. Collective. Throws what Engine::bind throws, on all ranks;
  // then the extents before are still set.
  void prepare(const shard::Symbols& symbols);

  // Whole batches on every rank: inputs to be written before run(), outputs after it.
  View input(std::size_t i) const;
  View output(std::size_t i) const;

  // Collective.
  void run();

  // Bytes of whole batches of these extents beside the engine's own.
  std::size_t bytes_for(const shard::Symbols& symbols) const;
  // The same for the extents of the next run; 0 before the first prepare().
  std::size_t bytes() const { return parts_.empty() ? 0 : bytes_for(symbols_); }
  // Seconds spent on sending outputs to all stages.
  double delivery_seconds() const { return delivery_seconds_; }

 private:
  struct Part {
    Range rows;
    std::size_t binding = 0;
  };
  struct Whole {  // an input or output of the whole batch
    Block block;
    View view;
    bool cut = false;  // into micro-batches along dimension 0
  };

  struct Bound {  // extents that the engine is bound to
    std::size_t binding = 0;
    std::uint64_t last_use = 0;
  };

  std::size_t binding_for(const shard::Symbols& extents);
  void forget_oldest();
  Whole whole(const shard::Tensor& tensor) const;
  void deliver();

  Engine& engine_;
  comm::Communicator& world_;
  Options options_;
  shard::Symbols symbols_;
  std::map<shard::Symbols, Bound> bindings_;
  std::uint64_t uses_ = 0;                      // of bindings, so far
  std::vector<Part> parts_;                     // the micro-batches
  std::vector<Whole> inputs_, outputs_;         // empty: the engine's own are the whole batch
  std::unique_ptr<comm::Communicator> stages_;  // the same place in every stage; null without
  double delivery_seconds_ = 0;
};

}  // namespace tpinfer::runtime
