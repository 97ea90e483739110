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
#include "launch/shared_weights.hpp"
#include "shard/file/given_strategies.hpp"
#include "shard/file/text_file.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

// Which version of the model's files the weights come from.
std::string identity_of(const runtime::Model& model) {
  std::string text;
  for (std::size_t part = 0; part < model.file_count(); ++part) {
    text += model.table(part).path + "\n";
    for (const shard::FileInfo& file : model.table(part).files) {
      text += fmt::format("{} {} {} {}\n", file.path, file.identity.bytes, file.identity.mtime_ns,
                          file.identity.sample_hash);
    }
  }
  return text;
}

// Collective.
void tell(const SharedWeights& shared, comm::Communicator& world, Story& story) {
  if (shared.copies() < shared.ranks()) {
    story.line(
        fmt::format("weights: {} for {} with weights of 1 MiB or more",
                    shared.copies() == 1 ? "one copy" : fmt::format("{} copies", shared.copies()),
                    counted(static_cast<std::size_t>(shared.ranks()), "rank")));
  }
  for (const std::string& note : comm::all_gather_texts(world, shared.note())) {
    if (note.empty()) continue;
    story.line("note: " + note);
    break;  // of several ranks the first
  }
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

Runner::Runner(const Options& options, comm::Session& session, runtime::Model& model, Story& story,
               const std::string& graph, const std::string& method)
    : options_(options), session_(session), world_(session.world()), model_(model), story_(story) {
  comm::together(world_, "read graph", [&] {
    if (const shard::PipelineSpec* spec = model.pipeline(method); spec && !method.empty()) {
      return add_pipeline(*spec);
    }
    add_graph(method.empty() ? model.runnable(graph) : model.method(method));
    signature_ = graphs_.front()->signature();
    batch_ = graphs_.front()->batch();
  });
}

void Runner::add_graph(runtime::Runnable what) {
  graphs_.push_back(std::make_unique<GraphRunner>(options_, world_, model_, std::move(what)));
}

void Runner::add_pipeline(const shard::PipelineSpec& spec) {
  signature_ = spec.signature();
  pipeline_ =
      std::make_unique<PipelineRunner>(spec, [&](const shard::PipelineStep& step) -> GraphRunner& {
        runtime::Runnable what =
            step.is_method ? model_.method(step.callee) : model_.runnable(step.callee, spec.file);
        for (const auto& known : graphs_) {
          if (known->label() == what.signature.label() && known->index() == what.index)
            return *known;
        }
        add_graph(std::move(what));
        return *graphs_.back();
      });
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
    if (pipeline_) {
      pipeline_->infer(symbols);
      for (const auto& [graph, extents] : pipeline_->largest_calls()) graph->bind(extents, 0);
    } else {
      graphs_.front()->bind(symbols, rows);
    }
    for (const auto& graph : graphs_) graph->plan(files, graphs_, notes);
  });
  for (const std::string& note : notes) story_.line("note: " + note);
  for (const auto& graph : graphs_) {
    hashes_agree(world_, "the plan (options, model or version)", graph->fingerprint(files));
  }
}

void Runner::load_together(const std::vector<Runner*>& runners) {
  const Clock::time_point start = Clock::now();
  Runner& first = *runners.front();
  comm::Communicator& world = first.world_;
  const Options& options = first.options_;
  const std::vector<shard::ModelFile*> files = first.model_.files();
  const std::size_t metadata_bytes = first.model_.bytes_read();
  const auto weights = std::make_shared<runtime::WeightStore>();
  comm::set_phase("make groups");
  for (Runner* runner : runners) {
    runner->weights_ = weights;
    for (const auto& graph : runner->graphs_)
      graph->make_engine(weights, first.session_.ranks_on_node());
  }
  SharedWeights shared(first.session_, *weights, identity_of(first.model_),
                       !options.private_weights);
  comm::together(world, "open weights", [&] { weights->open(files); });
  comm::together(world, "allocate memory", [&] {
    std::size_t bytes = shared.own_bytes();
    for (Runner* runner : runners) {
      for (const auto& graph : runner->graphs_) bytes += graph->activation_bytes();
      if (runner->pipeline_) bytes += runner->pipeline_->bytes();
    }
    check_memory(bytes, first.session_.ranks_on_node());
    for (Runner* runner : runners) {
      for (const auto& graph : runner->graphs_) graph->engine().allocate();
      if (runner->pipeline_) runner->pipeline_->allocate();
    }
  });
  Progress progress(
      world.rank() == 0 && !options.quiet ? progress_style(options.progress) : ProgressStyle::none,
      "load weights", "bytes");
  shared.fill([&] {
    weights->load(files, [&](std::size_t done, std::size_t total) {
      progress.show(static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
    });
    for (shard::ModelFile* file : files) {
      file->check_unchanged();
      file->release();
    }
  });
  tell(shared, world, first.story_);
  comm::together(world, "check weights", [&] {
    if (!options.check_finite) return;
    weights->for_each([](const std::string& name, const View& view) {
      refuse_not_finite("weight " + name, view);
    });
  });
  first.mapped_weight_bytes_ = shared.mapped_bytes();
  first.weight_bytes_read_ = first.model_.bytes_read() - metadata_bytes;
  first.load_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  const std::string& report = first.graphs_.front()->engine().kernel_report();
  if (!report.empty() && options.kernels != "eigen") first.story_.line("kernels: " + report);
}

void Runner::share_inputs(const Feed& feed) {
  const std::size_t count = signature_.inputs.size();
  auto grouped = [&](std::size_t i) {
    const std::vector<shard::Extent>& shape = signature_.inputs[i].shape;
    return feed.groups && !shape.empty() && shape[0].symbol == batch_;
  };
  auto read = [&](std::size_t i, const View& view) {
    feed.fill(i, view);
    if (options_.check_finite) refuse_not_finite("input " + signature_.inputs[i].name, view);
  };
  comm::together(world_, "read input", [&] {
    for (std::size_t i = 0; i < count && (feed.everywhere || world_.rank() == 0); ++i) {
      if (!grouped(i)) read(i, input(i));
    }
  });
  for (std::size_t i = 0; i < count; ++i) {
    const View view = input(i);
    const std::string name = "input " + signature_.inputs[i].name;
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
  if (!pipeline_) {
    graphs_.front()->prepare(symbols);
  } else if (symbols != symbols_ || !pipeline_->ready()) {
    comm::together(world_, "read input", [&] {
      pipeline_->infer(symbols);
      pipeline_->allocate();
    });
  }
  symbols_ = symbols;
  comm::set_phase("read input");
  share_inputs(feed);
  comm::set_phase("run");
  if (pipeline_) {
    pipeline_->run();
  } else {
    graphs_.front()->run();
  }
  if (!options_.check_finite) return;
  comm::together(world_, "check output", [&] {
    for (std::size_t i = 0; i < output_count(); ++i) {
      refuse_not_finite("output " + signature_.outputs[i], output(i));
    }
  });
}

shard::Tensor Runner::output_tensor(std::size_t i) const {
  if (pipeline_) return pipeline_->output_tensor(i);
  return graphs_.front()->bound(symbols_).tensor(signature_.outputs[i]);
}

std::vector<shard::Tensor> Runner::outputs_on(const shard::Symbols& symbols) const {
  if (pipeline_) return pipeline_->outputs_on(symbols);
  const shard::BoundGraph bound = graphs_.front()->bound(symbols);
  std::vector<shard::Tensor> tensors;
  for (const std::string& output : bound.outputs) tensors.push_back(bound.tensor(output));
  return tensors;
}

RankTimes Runner::times() {
  RankTimes mine;
  const comm::Counters counters = world_.counters();
  mine.load = load_seconds_;
  double collectives = 0;
  std::size_t activations = pipeline_ ? pipeline_->bytes() : 0;
  for (const auto& graph : graphs_) {
    mine.compute += graph->engine().times().compute;
    collectives += graph->collective_seconds();
    activations += graph->memory_bytes();
  }
  mine.waiting = std::min(collectives, counters.waiting_seconds);
  mine.communication = collectives - mine.waiting;
  mine.weight_bytes_read = static_cast<std::int64_t>(weight_bytes_read_);
  mine.files_opened = static_cast<std::int64_t>(model_.files_opened());
  mine.peak_resident_bytes = static_cast<std::int64_t>(peak_resident_bytes());
  mine.weight_bytes = static_cast<std::int64_t>(weights_->part_bytes());
  mine.shared_weight_bytes = static_cast<std::int64_t>(mapped_weight_bytes_);
  mine.activation_bytes = static_cast<std::int64_t>(activations);
  mine.bytes_sent = counters.bytes_sent;
  mine.collective_calls = counters.calls;
  return mine;
}

std::string Runner::counts() const {
  std::map<int, std::int64_t> runs;
  for (const auto& graph : graphs_) {
    if (graph->index() >= 0) runs[graph->index()] += graph->runs();
  }
  std::string text;
  for (const auto& [index, count] : runs) {
    text += fmt::format("{}graph {} ran {}", text.empty() ? "" : ", ", index, count);
  }
  return text;
}

std::vector<std::string> Runner::times_beside_predictions() {
  std::vector<std::string> lines;
  for (const auto& graph : graphs_) {
    const std::string where = graphs_.size() > 1 ? graph->label() + ": " : "";
    for (const std::string& line : graph->times_beside_predictions()) lines.push_back(where + line);
  }
  return lines;
}

}  // namespace tpinfer::launch
