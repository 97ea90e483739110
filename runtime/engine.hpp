// Runs a program on this rank, together with the others.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "kernels/base/view.hpp"
#include "kernels/math/matmul.hpp"
#include "runtime/weight_store.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::runtime {

struct EngineOptions {
  kernels::Family family = kernels::Family::eigen;
  bool fast = false;        // --fast
  bool time_steps = false;  // keep step_times()
  // Called on each rank before bind() takes memory, with the bytes that are to come on top of what
  // is held; throws when they are not there.
  std::function<void(std::size_t)> check_memory = {};
};

// Seconds of all run() calls so far on this rank.
struct EngineTimes {
  double compute = 0;
  double collectives = 0;  // moving data and waiting for it
};

// What one set of extents took so far on this rank.
struct StepTimes {
  const shard::BoundGraph& graph;
  const shard::Plan& plan;
  const std::vector<double>& seconds;  // per step of the plan, all runs; 0 where it has no part
  int runs = 0;
};

class Engine {
 public:
  // Collective: makes the sub-groups that the plan's collectives span. `world` outlives the engine
  // and has plan.mesh.size() ranks; all ranks pass the same plan. `weights` may be shared with
  // other engines, before any of them allocates; without it the engine has its own.
  Engine(shard::BoundGraph graph, shard::Plan plan, comm::Communicator& world,
         const EngineOptions& options, std::shared_ptr<WeightStore> weights = nullptr);
  ~Engine();

  // This rank's weights: to be opened and loaded there.
  WeightStore& weights() const;

  // Bytes of this rank's activations.
  std::size_t activation_bytes_needed() const;

  // Takes memory for weights and activations and tests the kernels at the shapes of the plan.
  // Local; once, before anything else. Throws Fault::memory when there is not enough.
  void allocate();

  // The same decisions on other extents (another batch size); weights stay, activations grow when
  // they must. Collective, as new collectives may need new sub-groups. Returns its number; the
  // first extents have number 0. Throws comm::AgreedError on all ranks, the engine as it was
  // before: Fault::memory when a rank has not got it, what laying out and check_memory throw.
  std::size_t bind(shard::BoundGraph graph);

  // Forgets a binding that is neither 0 nor in use; its number may come again. Local.
  void release(std::size_t binding);

  // Which extents all members below mean. Local.
  void use(std::size_t binding);

  // Where input `i` of the graph is to be written before each run(): whole, dense.
  View input(std::size_t i) const;
  // Output `i` after run(): whole, the same bits on every rank that has it (with pipeline stages
  // those of the last one; empty elsewhere); valid until the next run().
  View output(std::size_t i) const;

  // Collective.
  void run();

  const shard::BoundGraph& graph() const;
  const shard::Plan& plan() const;
  EngineTimes times() const;
  // Per binding; zeros unless options.time_steps. Valid until the next bind().
  std::vector<StepTimes> step_times() const;
  std::size_t arena_bytes() const;  // activations and scratch of this rank
  // What the self-test of the kernel family found at the shapes that this plan uses.
  const std::string& kernel_report() const;

 private:
  struct Binding;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tpinfer::runtime
