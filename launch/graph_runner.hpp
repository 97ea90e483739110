// One graph on all ranks: planned, with its engine. A Runner has one, or several for a pipeline.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "launch/options.hpp"
#include "runtime/engine.hpp"
#include "runtime/model.hpp"
#include "runtime/pipeline.hpp"
#include "runtime/weight_store.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::launch {

class GraphRunner {
 public:
  // All outlive this. Local.
  GraphRunner(const Options& options, comm::Communicator& world, const runtime::Model& model,
              runtime::Runnable what);

  const shard::Graph& graph() const { return graph_; }
  const shard::Signature& signature() const { return signature_; }
  // "graph main", "method predict".
  std::string label() const { return signature_.label(); }
  // The number of the graph in the model; -1: a method of operators alone.
  int index() const { return index_; }
  // The symbol of the graph's batch, or "".
  const std::string& batch() const { return batch_; }

  // Binds the graph to these extents. `rows` > 0: it will be run in pieces of a batch of that many
  // rows; refuses a graph that mixes them. Local.
  void bind(const shard::Symbols& symbols, std::int64_t rows);
  // Then plans it. A strategy that is meant for a node of another graph of `all` is not for this
  // one. Adds lines to `notes` that the user should see. Local.
  void plan(const PlanFiles& files, const std::vector<std::unique_ptr<GraphRunner>>& all,
            std::vector<std::string>& notes);

  // What all ranks must agree on: the plan and every option that changes what is computed.
  std::string fingerprint(const PlanFiles& files) const;

  // Makes the engine, whose weights are in `weights`; `ranks_on_node` share this node's memory.
  // Collective.
  void make_engine(const std::shared_ptr<runtime::WeightStore>& weights, int ranks_on_node);
  // Bytes beside the weights; known when there is an engine.
  std::size_t activation_bytes() const;

  // Sets the extents of the next runs. Collective.
  void prepare(const shard::Symbols& symbols);
  // Whole inputs, to be written before run(), and outputs, valid until the next one.
  View input(std::size_t i) const { return pipeline_->input(i); }
  View output(std::size_t i) const { return pipeline_->output(i); }
  // Collective. Every NaN of the outputs is the canonical one.
  void run();

  shard::BoundGraph bound(const shard::Symbols& symbols) const;

  // Valid from plan() on.
  const shard::Plan& planned() const { return *plan_; }
  const shard::BoundGraph& bound_graph() const { return *bound_; }
  const shard::PlanOptions& plan_options() const { return plan_options_; }
  // Bytes of weights and activations on the rank with the most.
  shard::RankNeed largest_need() const;
  // Micro-batches of a run on the extents that were planned.
  int micro_batches() const { return micro_batches_; }
  // What steps took beside what was predicted, a line per operator and collective. Collective.
  std::vector<std::string> times_beside_predictions();

  runtime::Engine& engine() const { return *engine_; }
  double collective_seconds() const;
  std::size_t memory_bytes() const;  // activations, whole batches, buffers
  std::int64_t runs() const { return runs_; }

 private:
  void choose_micro_batches(const shard::MeshOptions& mesh);
  runtime::Pipeline::Options pipeline_options() const;
  void check_streams(std::int64_t rows, const std::string& option) const;

  const Options& options_;
  comm::Communicator& world_;
  const shard::WeightTable& weights_;
  shard::Graph graph_;
  shard::Signature signature_;
  int index_;
  std::string batch_;
  shard::Symbols symbols_;
  std::optional<shard::BoundGraph> bound_;
  shard::PlanOptions plan_options_;
  std::optional<shard::Plan> plan_;
  std::unique_ptr<runtime::Engine> engine_;
  std::unique_ptr<runtime::Pipeline> pipeline_;
  int micro_batches_ = 1;
  std::int64_t runs_ = 0;
};

}  // namespace tpinfer::launch
