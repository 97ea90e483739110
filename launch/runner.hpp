// What can be called (a graph, a method, a pipeline), planned, loaded and ready to run on all
// ranks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/mpi/session.hpp"
#include "launch/graph_runner.hpp"
#include "launch/options.hpp"
#include "launch/pipeline_runner.hpp"
#include "launch/rank_times.hpp"
#include "launch/row_groups.hpp"
#include "launch/story.hpp"
#include "runtime/model.hpp"
#include "runtime/weight_store.hpp"
#include "shard/plan/signature.hpp"

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
  // What --graph and --method say; without both, the first graph.
  Runner(const Options& options, comm::Session& session, runtime::Model& model, Story& story)
      : Runner(options, session, model, story, options.graph, options.method) {}
  // `method`: a method's or a pipeline's name; "" = `graph`, a name or an index. Throws Fault::data
  // naming those that exist.
  Runner(const Options& options, comm::Session& session, runtime::Model& model, Story& story,
         const std::string& graph, const std::string& method);

  // What it takes and returns.
  const shard::Signature& signature() const { return signature_; }
  // The symbol whose rows may come in pieces; "" when the batch is taken as it is.
  const std::string& batch() const { return batch_; }

  // Plans for these extents and compares fingerprints over the ranks. `rows` > 0: it will be run in
  // pieces of a batch of that many rows; refuses what mixes them.
  void plan(const shard::Symbols& symbols, std::int64_t rows);

  // Allocates and loads this rank's share of the weights.
  void load() { load_together({this}); }
  // The same for several that are planned: a weight that they share is held and read once.
  static void load_together(const std::vector<Runner*>& runners);

  // Runs on these extents (at most those planned for). The outputs are valid until the next run.
  void run(const shard::Symbols& symbols, const Feed& feed);

  // Whole, equal on all ranks, NaN made canonical.
  View output(std::size_t i) const {
    return pipeline_ ? pipeline_->output(i) : graphs_.front()->output(i);
  }
  std::size_t output_count() const { return signature_.outputs.size(); }
  // Element type and shape of output i on extents that were planned or run last.
  shard::Tensor output_tensor(std::size_t i) const;

  // All of them on any extents. Local. Throws Fault::data where these do not fit together.
  std::vector<shard::Tensor> outputs_on(const shard::Symbols& symbols) const;

  RankTimes times();
  // The graphs that it runs, each planned for itself; at least one.
  const std::vector<std::unique_ptr<GraphRunner>>& graphs() const { return graphs_; }
  // How often each graph of the model ran so far: "graph 0 ran 1, graph 1 ran 10".
  std::string counts() const;
  // With --explain, after runs: what steps took beside what was predicted, a line per operator and
  // collective. Collective.
  std::vector<std::string> times_beside_predictions();

 private:
  PlanFiles share_plan_files();
  void share_inputs(const Feed& feed);
  View input(std::size_t i) const {
    return pipeline_ ? pipeline_->input(i) : graphs_.front()->input(i);
  }
  void add_graph(runtime::Runnable what);
  void add_pipeline(const shard::PipelineSpec& spec);

  const Options& options_;
  comm::Session& session_;
  comm::Communicator& world_;
  runtime::Model& model_;
  Story& story_;
  shard::Signature signature_;
  std::string batch_;
  shard::Symbols symbols_;
  std::vector<std::unique_ptr<GraphRunner>> graphs_;
  std::unique_ptr<PipelineRunner> pipeline_;
  std::shared_ptr<runtime::WeightStore> weights_;
  double load_seconds_ = 0;
  std::size_t weight_bytes_read_ = 0;
  std::size_t mapped_weight_bytes_ = 0;
};

// Compares one text per output over all ranks: equal, or Fault::disagreement naming the ranks that
// differ from rank 0. Collective.
void hashes_agree(comm::Communicator& world, const std::string& what, const std::string& hash);

}  // namespace tpinfer::launch
