// A graph that is planned, loaded and ready to run on all ranks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/mpi/session.hpp"
#include "launch/options.hpp"
#include "launch/rank_times.hpp"
#include "launch/row_groups.hpp"
#include "launch/story.hpp"
#include "runtime/engine.hpp"
#include "runtime/model.hpp"
#include "runtime/pipeline.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::launch {

// Where the inputs of a run come from.
struct Feed {
  bool everywhere = false;      // every rank reads, and all must agree; else rank 0 reads for all
  RowGroups* groups = nullptr;  // with `everywhere`: inputs with the batch are read in parts
  Range rows;                   // of the batch, that this run is about; for groups
  // Writes input i, or this rank's part of it.
  std::function<void(std::size_t, const View&)> fill;
};

// Everything here is collective and throws the same error on all ranks (comm::together).
class Runner {
 public:
  Runner(const Options& options, comm::Session& session, runtime::Model& model, Story& story);

  const shard::Graph& graph() const { return graph_; }

  // Plans for these extents and compares fingerprints over the ranks. `rows` > 0: the graph will be
  // run in pieces of a batch of that many rows; refuses a graph that mixes them.
  void plan(const shard::Symbols& symbols, std::int64_t rows);

  // Allocates and loads this rank's share of the weights.
  void load();

  // Runs on these extents (at most those planned for). The outputs are valid until the next run.
  void run(const shard::Symbols& symbols, const Feed& feed);

  // Whole, equal on all ranks, NaN made canonical.
  View output(std::size_t i) const { return pipeline_->output(i); }
  std::size_t output_count() const { return graph_.outputs.size(); }
  // Element type and shape of output i on extents that were planned or run last.
  shard::Tensor output_tensor(std::size_t i) const;

  // The graph on these extents. Throws Fault::data where they do not fit together. Local.
  shard::BoundGraph bound(const shard::Symbols& symbols) const;

  RankTimes times();
  const shard::Plan& planned() const { return *plan_; }
  // The graph that was planned; valid from plan() on.
  const shard::BoundGraph& bound_graph() const { return *bound_; }
  const shard::PlanOptions& plan_options() const { return plan_options_; }
  // Bytes of weights and activations on the rank with the most.
  shard::RankNeed largest_need() const;
  // With --explain, after runs: what steps took beside what was predicted, a line per operator and
  // collective. Collective.
  std::vector<std::string> times_beside_predictions();
  // Micro-batches of a run on the extents that were planned.
  int micro_batches() const { return micro_batches_; }

 private:
  PlanFiles share_plan_files();
  void choose_micro_batches(const shard::MeshOptions& mesh);
  runtime::Pipeline::Options pipeline_options() const;
  void check_streams(std::int64_t rows, const std::string& option) const;
  void share_inputs(const Feed& feed);

  const Options& options_;
  comm::Session& session_;
  comm::Communicator& world_;
  runtime::Model& model_;
  Story& story_;
  shard::Graph graph_;
  shard::Symbols symbols_;
  std::optional<shard::BoundGraph> bound_;
  shard::PlanOptions plan_options_;
  std::optional<shard::Plan> plan_;
  std::unique_ptr<runtime::Engine> engine_;
  std::unique_ptr<runtime::Pipeline> pipeline_;
  int micro_batches_ = 1;
  double load_seconds_ = 0;
  std::size_t metadata_bytes_ = 0;  // read from the model file before the weights
  std::size_t weight_bytes_read_ = 0;
};

// Compares one text per output over all ranks: equal, or Fault::disagreement naming the ranks that
// differ from rank 0. Collective.
void hashes_agree(comm::Communicator& world, const std::string& what, const std::string& hash);

}  // namespace tpinfer::launch
