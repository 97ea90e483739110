#include "launch/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "comm/activity.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/text.hpp"
#include "launch/memory_check.hpp"
#include "launch/outputs.hpp"
#include "launch/progress.hpp"
#include "runtime/op.hpp"
#include "runtime/plan_bytes.hpp"
#include "runtime/program.hpp"
#include "shard/file/given_strategies.hpp"
#include "shard/file/text_file.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/memory.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

void hashes_agree(comm::Communicator& world, const std::string& what, const std::string& hash) {
  const std::vector<std::string> all = comm::all_gather_texts(world, hash);
  std::vector<std::size_t> others;
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r] != all[0]) others.push_back(r);
  }
  if (others.empty()) return;
  throw comm::AgreedError(
      Fault::disagreement,
      fmt::format("{} differs between ranks: rank 0 has {}, rank{} {} not", what, all[0],
                  others.size() == 1 ? "" : "s", fmt::join(others, ", ")));
}

Runner::Runner(const Options& options, comm::Session& session, runtime::Model& model, Story& story)
    : options_(options), session_(session), world_(session.world()), model_(model), story_(story) {
  comm::together(world_, "read graph", [&] { graph_ = model.graph(options.graph); });
}

shard::BoundGraph Runner::bound(const shard::Symbols& symbols) const {
  return shard::bind(graph_, symbols, model_.weights(), runtime::rule_table());
}

// What rank 0 reads of the files that the options name.
PlanFiles Runner::share_plan_files() {
  PlanFiles files;
  comm::together(world_, "read options", [&] {
    if (world_.rank() == 0) files = read_plan_files(options_.plan);
  });
  for (const std::string& path : shard::strategy_files(options_.plan.strategies)) {
    files.strategies[path] = comm::broadcast_text(world_, files.strategies[path], 0);
  }
  files.costs = comm::broadcast_text(world_, files.costs, 0);
  return files;
}

void Runner::plan(const shard::Symbols& symbols, std::int64_t rows) {
  const PlanFiles files = share_plan_files();
  std::vector<std::string> notes;
  comm::together(world_, "plan", [&] {
    symbols_ = symbols;
    choose_micro_batches(mesh_options(options_.plan));
    if (rows > 0) check_streams(rows, "--batch-size");
    bound_ = bound(runtime::Pipeline::largest_micro_batch(pipeline_options(), symbols));
    plan_options_ = launch::plan_options(options_.plan, files, graph_, *bound_, notes);
    plan_ = shard::make_plan(*bound_, world_.size(), plan_options_);
  });
  for (const std::string& note : notes) story_.line("note: " + note);
  const std::string extra =
      fmt::format("kernels {} fast {} head {} repeat {} micro {} costs {}", options_.kernels,
                  options_.fast, options_.print_head, options_.repeat, micro_batches_,
                  sha256_hex(files.costs.data(), files.costs.size()));
  hashes_agree(world_, "the plan (options, model or version)",
               runtime::fingerprint(*bound_, *plan_, extra));
}

// Several per stage, so that all stages are busy most of the time.
void Runner::choose_micro_batches(const shard::MeshOptions& mesh) {
  constexpr int kPerStage = 4;
  const std::string batch = shard::batch_symbol(graph_);
  const std::int64_t rows = batch.empty() ? 1 : symbols_.at(batch);
  if (options_.micro_batches > 1 && batch.empty()) {
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

runtime::Pipeline::Options Runner::pipeline_options() const {
  return {shard::batch_symbol(graph_), micro_batches_,
          [this](const shard::Symbols& symbols) { return bound(symbols); }};
}

void Runner::check_streams(std::int64_t rows, const std::string& option) const {
  const std::string batch = shard::batch_symbol(graph_);
  shard::Symbols symbols = symbols_;
  symbols[batch] = std::max<std::int64_t>(2, rows);
  shard::check_streamable(graph_, bound(symbols), batch, option);
}

void Runner::load() {
  const Clock::time_point start = Clock::now();
  metadata_bytes_ = model_.file().bytes_read();
  runtime::EngineOptions engine_options{kernels::parse_family(options_.kernels), options_.fast,
                                        options_.explain};
  comm::set_phase("make groups");
  engine_ = std::make_unique<runtime::Engine>(*bound_, *plan_, world_, engine_options);
  pipeline_ = std::make_unique<runtime::Pipeline>(
      *engine_, world_, pipeline_options(),
      runtime::Pipeline::largest_micro_batch(pipeline_options(), symbols_));
  comm::together(world_, "open weights", [&] { engine_->open_weights(model_.file()); });
  comm::together(world_, "allocate memory", [&] {
    check_memory(engine_->bytes_needed() + pipeline_->bytes_for(symbols_),
                 session_.ranks_on_node());
    engine_->allocate();
  });
  Progress progress(world_.rank() == 0 && !options_.quiet ? progress_style(options_.progress)
                                                          : ProgressStyle::none,
                    "load weights", "bytes");
  comm::together(world_, "load weights", [&] {
    engine_->load(model_.file(), [&](std::size_t done, std::size_t total) {
      progress.show(static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
    });
    model_.file().check_unchanged();
    model_.file().release();
    if (!options_.check_finite) return;
    engine_->for_each_weight([](const std::string& name, const View& view) {
      refuse_not_finite("weight " + name, view);
    });
  });
  weight_bytes_read_ = model_.file().bytes_read() - metadata_bytes_;
  load_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  if (!engine_->kernel_report().empty() && options_.kernels != "eigen") {
    story_.line("kernels: " + engine_->kernel_report());
  }
}

void Runner::share_inputs(const Feed& feed) {
  const std::size_t count = graph_.inputs.size();
  const std::string batch = shard::batch_symbol(graph_);
  auto grouped = [&](std::size_t i) {
    const std::vector<shard::Extent>& shape = graph_.inputs[i].shape;
    return feed.groups && !shape.empty() && shape[0].symbol == batch;
  };
  auto read = [&](std::size_t i, const View& view) {
    feed.fill(i, view);
    if (options_.check_finite) refuse_not_finite("input " + graph_.inputs[i].name, view);
  };
  comm::together(world_, "read input", [&] {
    for (std::size_t i = 0; i < count && (feed.everywhere || world_.rank() == 0); ++i) {
      if (!grouped(i)) read(i, pipeline_->input(i));
    }
  });
  for (std::size_t i = 0; i < count; ++i) {
    const View view = pipeline_->input(i);
    const std::string name = "input " + graph_.inputs[i].name;
    if (grouped(i)) {
      feed.groups->exchange(name, feed.rows, view, [&](const View& part) { read(i, part); });
    } else if (feed.everywhere) {
      hashes_agree(world_, name, sha256_hex(view.data, view.bytes()));
    } else {
      world_.broadcast(view.data, view.bytes(), 0);
    }
  }
}

void Runner::run(const shard::Symbols& symbols, const Feed& feed) {
  pipeline_->prepare(symbols);
  symbols_ = symbols;
  comm::set_phase("read input");
  share_inputs(feed);
  comm::set_phase("run");
  pipeline_->run();
  for (std::size_t i = 0; i < output_count(); ++i) make_nan_canonical(output(i));
  if (!options_.check_finite) return;
  comm::together(world_, "check output", [&] {
    for (std::size_t i = 0; i < output_count(); ++i) {
      refuse_not_finite("output " + graph_.outputs[i], output(i));
    }
  });
}

shard::Tensor Runner::output_tensor(std::size_t i) const {
  return bound(symbols_).tensor(graph_.outputs[i]);
}

RankTimes Runner::times() {
  RankTimes mine;
  const comm::Counters counters = world_.counters();
  mine.load = load_seconds_;
  mine.compute = engine_->times().compute;
  const double collectives = engine_->times().collectives + pipeline_->delivery_seconds();
  mine.waiting = std::min(collectives, counters.waiting_seconds);
  mine.communication = collectives - mine.waiting;
  mine.weight_bytes_read = static_cast<std::int64_t>(weight_bytes_read_);
  mine.files_opened = static_cast<std::int64_t>(model_.file().files_opened());
  mine.peak_resident_bytes = static_cast<std::int64_t>(peak_resident_bytes());
  mine.weight_bytes = static_cast<std::int64_t>(shard::weight_bytes(*plan_, world_.rank()));
  mine.activation_bytes = static_cast<std::int64_t>(engine_->arena_bytes() + pipeline_->bytes());
  mine.bytes_sent = counters.bytes_sent;
  mine.collective_calls = counters.calls;
  return mine;
}

}  // namespace tpinfer::launch
