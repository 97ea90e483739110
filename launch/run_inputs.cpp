#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "comm/activity.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "launch/drain.hpp"
#include "launch/file_names.hpp"
#include "launch/inputs.hpp"
#include "launch/instance_log.hpp"
#include "launch/instances/start_gate.hpp"
#include "launch/job/facts.hpp"
#include "launch/job/restore_inputs.hpp"
#include "launch/job/run_job.hpp"
#include "launch/progress.hpp"
#include "launch/report.hpp"
#include "launch/row_groups.hpp"
#include "launch/run.hpp"
#include "launch/run_outputs.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

std::string symbols_text(const shard::Symbols& symbols) {
  std::string text;
  for (const auto& [name, value] : symbols) text += fmt::format("{}={}\n", name, value);
  return text;
}

shard::Symbols parse_symbols(const std::string& text) {
  shard::Symbols symbols;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin), equals = text.rfind('=', end);
    symbols[text.substr(begin, equals - begin)] = std::stoll(text.substr(equals + 1, end - equals));
    begin = end + 1;
  }
  return symbols;
}

class InputRun {
 public:
  explicit InputRun(const Context& context)
      : context_(context),
        o_(context.options),
        world_(context.session.world()),
        runner_(o_, context.session, context.model, context.story),
        instances_(o_, world_) {}

  int run() {
    open_inputs();
    runner_.plan(at_most_, batch_size_ > 0 ? std::max<std::int64_t>(1, rows_) : 0);
    comm::together(world_, "plan", [&] { check_instance_rows(o_, runner_, rows_); });
    tell_plan(context_, {&runner_});
    if (o_.plan.instances > 0) context_.story.line(instances_text(o_, runner_, rows_));
    outputs_.emplace(context_, runner_,
                     OutputRows{rows_, total_, batch_size_ > 0, groups_ ? &*groups_ : nullptr,
                                job_ ? &*job_ : nullptr});
    if (o_.dry_run) {
      context_.story.line("dry run: nothing was computed");
      return 0;
    }
    if (job_) restore();
    instances_.build([&] { runner_.load(); });
    comm::together(world_, "wait for the other instances", [&] {
      if (world_.rank() == 0) pass_start_gate();
    });
    for (repetition_ = 0; repetition_ < o_.repeat; ++repetition_) run_all_rows();
    finish();
    return 0;
  }

 private:
  void open_inputs() {
    everywhere_ = std::any_of(o_.inputs.begin(), o_.inputs.end(), many);
    shard::MeshOptions mesh;
    comm::together(world_, "read options", [&] {
      mesh = mesh_options(o_.plan);
      group_ = shard::data_group(mesh, world_.size(), world_.rank());
    });
    const bool reads = everywhere_ || world_.rank() == 0;
    comm::together(world_, "open input", [&] {
      std::vector<std::string> arguments;
      for (const std::string& input : o_.inputs) {
        arguments.push_back(own_name(input, world_.rank(), group_));
      }
      inputs_ = choose_inputs(runner_.signature(), arguments, context_.model, reads);
      symbols_ = symbols_of(inputs_);
    });
    for (const InputSource& input : inputs_) {
      if (input.stored_dtype() != input.spec().dtype) {
        context_.story.line(
            fmt::format("note: input {}: {} is converted from {} to {}", input.spec().name,
                        input.text(), name_of(input.stored_dtype()), name_of(input.spec().dtype)));
      }
    }
    const std::string& batch = runner_.batch();
    if (everywhere_ && mesh.dp > 1 && !batch.empty()) {
      groups_.emplace(world_, mesh, symbols_[batch]);
      symbols_[batch] = groups_->all_rows();
    }
    const std::string mine = symbols_text(symbols_);
    if (everywhere_) hashes_agree(world_, "the shape of the inputs", mine);
    symbols_ = parse_symbols(comm::broadcast_text(world_, mine, 0));
    rows_ = batch.empty() ? 0 : symbols_[batch];
    at_most_ = symbols_;
    total_ = std::max<std::int64_t>(1, rows_);
    open_job();
    if (o_.batch_size == 0 && (done_ == 0 || done_ == total_)) return;
    comm::together(world_, "plan", [&] {
      if (batch.empty()) {
        fail(Fault::usage,
             "--batch-size: no input has a symbol such as \"batch\" as its first "
             "extent, or it is a pipeline; the model takes its shape as it is");
      }
    });
    // What is left may go at once where nothing else was asked for.
    batch_size_ = o_.batch_size > 0 ? std::min(o_.batch_size, total_) : total_ - done_;
    at_most_[batch] = batch_size_;
  }

  void open_job() {
    if (!o_.resume || o_.dry_run) {
      if (world_.rank() != 0 || o_.output.empty() || many(o_.output)) return;
      const std::string found = interrupted_text(o_.output);
      if (!found.empty()) context_.story.line("note: " + found);
      return;
    }
    job_.emplace(o_, world_);
    done_ =
        job_->open(total_, facts_of(context_, runner_.signature(), inputs_text(inputs_, symbols_)));
  }

  // What earlier runs have read and made counts as this run's.
  void restore() {
    comm::together(world_, "restore input", [&] {
      if (world_.rank() == 0) {
        restore_inputs(*job_, inputs_, symbols_, runner_.batch(), o_.check_finite);
      }
    });
    outputs_->restore();
    if (done_ > 0) {
      context_.story.line(fmt::format("resumed: {} of {} rows are done", done_, total_));
    }
  }

  // Between two batches: whether to go on is agreed by all ranks.
  void stop_if_asked(std::int64_t begin) {
    if (!job_) return stop_if_drained(world_, begin, total_);
    const std::string reason = job_->reason_to_stop();
    if (reason.empty()) return;
    outputs_->save(begin);
    job_->stop(reason, begin);
  }

  // The extents of rows [begin, end).
  shard::Symbols symbols_for(std::int64_t begin, std::int64_t end) const {
    shard::Symbols symbols = symbols_;
    if (batch_size_ > 0) symbols[runner_.batch()] = end - begin;
    return symbols;
  }

  void run_all_rows() {
    const std::int64_t step = batch_size_ > 0 ? batch_size_ : std::max<std::int64_t>(1, rows_);
    const std::int64_t total = batch_size_ > 0 ? rows_ : total_;
    Progress progress(
        world_.rank() == 0 && !o_.quiet ? progress_style(o_.progress) : ProgressStyle::none, "run",
        "rows");
    const Clock::time_point start = Clock::now();
    for (std::int64_t begin = done_; begin < total; begin += step) {
      const std::int64_t end = std::min(total, begin + step);
      stop_if_asked(begin);
      Feed feed{everywhere_, groups_ ? &*groups_ : nullptr, {begin, end}, {}};
      feed.fill = [&](std::size_t i, const View& view) {
        inputs_[i].read(rows_of(i, begin, end), view);
        if (job_) add_input(i, view, begin == 0);
      };
      instances_.predict([&] { runner_.run(symbols_for(begin, end), feed); });
      if (repetition_ == 0) outputs_->take({begin, end});
      progress.show(end, total);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    predict_seconds_ += seconds;
    fastest_ = repetition_ == 0 ? seconds : std::min(fastest_, seconds);
  }

  void add_input(std::size_t i, const View& view, bool first) {
    const shard::ValueSpec& spec = inputs_[i].spec();
    if (first || in_rows(spec, runner_.batch())) {
      job_->add_input(spec.name, view);
    }
  }

  // Inputs without the batch are read whole each time.
  Range rows_of(std::size_t i, std::int64_t begin, std::int64_t end) const {
    const shard::ValueSpec& spec = inputs_[i].spec();
    if (spec.shape.empty()) return {0, 1};
    if (spec.shape[0].symbol == runner_.batch()) {
      if (groups_) return groups_->local({begin, end});
      if (batch_size_ > 0) return {begin, end};
    }
    const shard::Extent& extent = spec.shape[0];
    return {0, extent.symbol.empty() ? extent.value : symbols_.at(extent.symbol)};
  }

  void finish() {
    comm::set_phase("finish");
    Report report{context_.session.node_count(),
                  context_.threads.threads,
                  rows_,
                  fastest_,
                  0,
                  {},
                  {},
                  {},
                  {}};
    report.predict_seconds = slowest(predict_seconds_);
    instances_.total(report.predict_seconds);
    outputs_->finish(report);
    instances_.finish();
    for (int i = 0; i < instances_.instances(); ++i) {
      report.instances.push_back({instances_.ranks_of(i), instances_.builds(),
                                  instances_.predictions(), instances_.replies(),
                                  instances_.exits()});
    }
    RankTimes mine = runner_.times();
    mine.resident_bytes_at_start = static_cast<std::int64_t>(context_.resident_bytes_at_start);
    report.ranks = gather_times(world_, mine);
    if (o_.explain) beside_ = runner_.times_beside_predictions();
    tell_times(report);
    comm::together(world_, "write report", [&] {
      if (!o_.report.empty() && world_.rank() == 0) write_report(o_, runner_, report);
    });
  }

  // Collective.
  double slowest(double seconds) {
    std::vector<double> all(static_cast<std::size_t>(world_.size()));
    const std::vector<std::size_t> bytes(all.size(), sizeof seconds);
    world_.all_gather(&seconds, bytes, all.data());
    return *std::max_element(all.begin(), all.end());
  }

  void tell_times(const Report& report) {
    std::int64_t sent = 0;
    for (const RankTimes& rank : report.ranks) sent = std::max(sent, rank.bytes_sent);
    const std::size_t files = context_.model.files_in_all();
    context_.story.line(fmt::format(
        "read {} bytes of weights per rank{}; sent at most {} bytes in all",
        range_text(report.ranks, &RankTimes::weight_bytes_read),
        files == 1 ? ""
                   : fmt::format(" from {} of {} files",
                                 range_text(report.ranks, &RankTimes::files_opened), files),
        sent));
    context_.story.line(times_text(report.ranks));
    const std::string imbalance = imbalance_text(report.ranks, context_.session.hosts());
    if (!imbalance.empty()) context_.story.line("warning: " + imbalance);
    if (!o_.method.empty() && !runner_.counts().empty()) context_.story.line(runner_.counts());
    for (const std::string& line : beside_) context_.story.line("times: " + line);
    if (rows_ - done_ > 1 && fastest_ > 0) {
      context_.story.line(
          fmt::format("{} rows in {:.3f} s: {:.0f} rows per second{}", rows_ - done_, fastest_,
                      static_cast<double>(rows_ - done_) / fastest_,
                      o_.repeat > 1 ? fmt::format(" (fastest of {})", o_.repeat) : ""));
    }
  }

  const Context& context_;
  const Options& o_;
  comm::Communicator& world_;
  Runner runner_;
  std::vector<InputSource> inputs_;
  shard::Symbols symbols_, at_most_;
  std::int64_t rows_ = 0, batch_size_ = 0;
  std::int64_t total_ = 1;           // what the run counts: rows, or 1
  std::int64_t done_ = 0;            // of these, by earlier runs
  std::optional<RunJob> job_;        // --resume
  std::vector<std::string> beside_;  // --explain: measured beside predicted
  bool everywhere_ = false;
  std::optional<RowGroups> groups_;  // inputs that each part of the ranks brings
  int group_ = 0;                    // of this rank on the dp axis
  std::optional<RunOutputs> outputs_;
  int repetition_ = 0;
  double fastest_ = 0, predict_seconds_ = 0;
  InstanceLog instances_;
};

}  // namespace

int run_inputs(const Context& context) { return InputRun(context).run(); }

}  // namespace tpinfer::launch
