#include "launch/graph_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "launch/memory_check.hpp"
#include "launch/outputs.hpp"
#include "runtime/op.hpp"
#include "runtime/plan_bytes.hpp"
#include "runtime/program.hpp"
#include "shard/plan/batch.hpp"

namespace tpinfer::launch {

GraphRunner::GraphRunner(const Options& options, comm::Communicator& world,
                         const runtime::Model& model, runtime::Runnable what)
    : options_(options),
      world_(world),
      weights_(model.weights(static_cast<std::size_t>(what.signature.file))),
      graph_(std::move(what.graph)),
      signature_(std::move(what.signature)),
      index_(what.index),
      batch_(shard::batch_symbol(graph_.inputs)) {}

shard::BoundGraph GraphRunner::bound(const shard::Symbols& symbols) const {
  return shard::bind(graph_, symbols, weights_, runtime::rule_table());
}

void GraphRunner::bind(const shard::Symbols& symbols, std::int64_t rows) {
  symbols_ = symbols;
  choose_micro_batches(mesh_options(options_.plan));
  if (rows > 0) check_streams(rows, "--batch-size");
  bound_ = bound(runtime::Pipeline::largest_micro_batch(pipeline_options(), symbols));
}

void GraphRunner::plan(const PlanFiles& files, const std::vector<std::unique_ptr<GraphRunner>>& all,
                       std::vector<std::string>& notes) {
  plan_options_ = launch::plan_options(options_.plan, files, graph_, *bound_, notes);
  std::erase_if(plan_options_.strategies, [&](const shard::StrategyEntry& entry) {
    return !shard::speaks_of(entry, *bound_) &&
           std::any_of(all.begin(), all.end(), [&](const auto& other) {
             return shard::speaks_of(entry, other->bound_graph());
           });
  });
  plan_ = shard::make_plan(*bound_, world_.size(), plan_options_);
}

std::string GraphRunner::fingerprint(const PlanFiles& files) const {
  const std::string extra =
      fmt::format("kernels {} fast {} head {} repeat {} micro {} costs {}", options_.kernels,
                  options_.fast, options_.print_head, options_.repeat, micro_batches_,
                  sha256_hex(files.costs.data(), files.costs.size()));
  return runtime::fingerprint(*bound_, *plan_, extra);
}

// Several per stage, so that all stages are busy most of the time.
void GraphRunner::choose_micro_batches(const shard::MeshOptions& mesh) {
  constexpr int kPerStage = 4;
  const std::int64_t rows = batch_.empty() ? 1 : symbols_.at(batch_);
  if (options_.micro_batches > 1 && batch_.empty()) {
    fail(Fault::usage,
         "--micro-batches: no input has a symbol such as \"batch\" as its first extent; the model "
         "takes its shape as it is");
  }
  micro_batches_ = options_.micro_batches > 0 ? options_.micro_batches
                   : mesh.pp > 1              ? kPerStage * mesh.pp
                                              : 1;
  // At least one row for each part of the batch.
  const std::int64_t most = std::max<std::int64_t>(1, rows / mesh.dp);
  micro_batches_ = static_cast<int>(std::clamp<std::int64_t>(micro_batches_, 1, most));
  if (micro_batches_ == 1) return;
  try {
    check_streams(rows, "--micro-batches");
  } catch (const Error&) {
    if (options_.micro_batches > 0) throw;
    micro_batches_ = 1;  // nobody asked for more
  }
}

runtime::Pipeline::Options GraphRunner::pipeline_options() const {
  return {batch_, micro_batches_, [this](const shard::Symbols& symbols) { return bound(symbols); }};
}

void GraphRunner::check_streams(std::int64_t rows, const std::string& option) const {
  shard::Symbols symbols = symbols_;
  symbols[batch_] = std::max<std::int64_t>(2, rows);
  shard::check_streamable(graph_, bound(symbols), batch_, option);
}

void GraphRunner::make_engine(const std::shared_ptr<runtime::WeightStore>& weights,
                              int ranks_on_node) {
  const runtime::EngineOptions engine_options{
      kernels::parse_family(options_.kernels), options_.fast, options_.explain,
      [ranks_on_node](std::size_t bytes) { check_memory(bytes, ranks_on_node); }};
  engine_ = std::make_unique<runtime::Engine>(*bound_, *plan_, world_, engine_options, weights);
  pipeline_ = std::make_unique<runtime::Pipeline>(
      *engine_, world_, pipeline_options(),
      runtime::Pipeline::largest_micro_batch(pipeline_options(), symbols_));
}

std::size_t GraphRunner::activation_bytes() const {
  return engine_->activation_bytes_needed() + pipeline_->bytes_for(symbols_);
}

void GraphRunner::prepare(const shard::Symbols& symbols) { pipeline_->prepare(symbols); }

void GraphRunner::run() {
  pipeline_->run();
  ++runs_;
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) make_nan_canonical(output(i));
}

shard::RankNeed GraphRunner::largest_need() const { return runtime::largest_need(*bound_, *plan_); }

double GraphRunner::collective_seconds() const {
  return engine_->times().collectives + pipeline_->delivery_seconds();
}

std::size_t GraphRunner::memory_bytes() const {
  return engine_->arena_bytes() + pipeline_->bytes();
}

}  // namespace tpinfer::launch
