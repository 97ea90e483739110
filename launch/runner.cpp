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
#include "runtime/program.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

void refuse_not_finite(const std::string& what, const View& view) {
  const auto index = first_not_finite(view);
  if (!index) return;
  fail(Fault::data, fmt::format("--check-finite: {} has {} at element {} of {}", what,
                                element_text(view, *index), *index, to_text(view.shape)));
}

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

void Runner::plan(const shard::Symbols& symbols, std::int64_t rows) {
  comm::together(world_, "plan", [&] {
    symbols_ = symbols;
    bound_ = bound(symbols);
    if (rows > 0) check_streams(rows);
    shard::PlanOptions plan_options;
    plan_options.strategies = options_.strategies.empty()
                                  ? std::map<std::string, shard::Strategy>{}
                                  : shard::parse_strategies(options_.strategies);
    plan_options.uneven = options_.uneven;
    plan_options.fastest = options_.plan == "fastest";
    plan_ = shard::make_plan(*bound_, world_.size(), plan_options);
  });
  const std::string extra = fmt::format("kernels {} fast {} head {} repeat {}", options_.kernels,
                                        options_.fast, options_.print_head, options_.repeat);
  hashes_agree(world_, "the plan (options, model or version)",
               runtime::fingerprint(*bound_, *plan_, extra));
}

void Runner::check_streams(std::int64_t rows) const {
  const std::string batch = shard::batch_symbol(graph_);
  shard::Symbols symbols = symbols_;
  symbols[batch] = std::max<std::int64_t>(2, rows);
  shard::check_streamable(graph_, bound(symbols), batch);
}

void Runner::load() {
  const Clock::time_point start = Clock::now();
  metadata_bytes_ = model_.file().bytes_read();
  runtime::EngineOptions engine_options{kernels::parse_family(options_.kernels), options_.fast};
  comm::set_phase("make groups");
  engine_ = std::make_unique<runtime::Engine>(std::move(*bound_), *plan_, world_, engine_options);
  bound_.reset();
  comm::together(world_, "open weights", [&] { engine_->open_weights(model_.file()); });
  comm::together(world_, "allocate memory", [&] {
    check_memory(engine_->bytes_needed(), session_.ranks_on_node());
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

void Runner::share_inputs(bool everywhere,
                          const std::function<void(std::size_t, const View&)>& fill) {
  const std::size_t count = graph_.inputs.size();
  comm::together(world_, "read input", [&] {
    for (std::size_t i = 0; i < count && (everywhere || world_.rank() == 0); ++i) {
      fill(i, engine_->input(i));
      if (options_.check_finite) {
        refuse_not_finite("input " + graph_.inputs[i].name, engine_->input(i));
      }
    }
  });
  for (std::size_t i = 0; i < count; ++i) {
    const View view = engine_->input(i);
    if (!everywhere) {
      world_.broadcast(view.data, view.bytes(), 0);
    } else {
      hashes_agree(world_, "input " + graph_.inputs[i].name, sha256_hex(view.data, view.bytes()));
    }
  }
}

void Runner::run(const shard::Symbols& symbols, bool everywhere,
                 const std::function<void(std::size_t, const View&)>& fill) {
  if (symbols != symbols_) {
    engine_->rebind(bound(symbols));
    symbols_ = symbols;
  }
  comm::set_phase("read input");
  share_inputs(everywhere, fill);
  comm::set_phase("run");
  engine_->run();
  for (std::size_t i = 0; i < output_count(); ++i) make_nan_canonical(output(i));
  if (!options_.check_finite) return;
  comm::together(world_, "check output", [&] {
    for (std::size_t i = 0; i < output_count(); ++i) {
      refuse_not_finite("output " + graph_.outputs[i], output(i));
    }
  });
}

const shard::Tensor& Runner::output_tensor(std::size_t i) const {
  return bound_graph().tensor(graph_.outputs[i]);
}

RankTimes Runner::times() {
  RankTimes mine;
  const comm::Counters counters = world_.counters();
  mine.load = load_seconds_;
  mine.compute = engine_->times().compute;
  mine.waiting = std::min(engine_->times().collectives, counters.waiting_seconds);
  mine.communication = engine_->times().collectives - mine.waiting;
  mine.weight_bytes_read = static_cast<std::int64_t>(weight_bytes_read_);
  mine.files_opened = static_cast<std::int64_t>(model_.file().files_opened());
  mine.peak_resident_bytes = static_cast<std::int64_t>(peak_resident_bytes());
  mine.weight_bytes = static_cast<std::int64_t>(shard::weight_bytes(*plan_, world_.rank()));
  mine.activation_bytes = static_cast<std::int64_t>(engine_->arena_bytes());
  mine.bytes_sent = counters.bytes_sent;
  mine.collective_calls = counters.calls;
  return mine;
}

}  // namespace tpinfer::launch
