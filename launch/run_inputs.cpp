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
        runner_(o_, context.session, context.model, context.story) {}

  int run() {
    open_inputs();
    runner_.plan(at_most_, batch_size_ > 0 ? std::max<std::int64_t>(1, rows_) : 0);
    tell_plan(context_, runner_);
    outputs_.emplace(context_, runner_,
                     OutputRows{rows_, batch_size_ > 0, groups_ ? &*groups_ : nullptr});
    if (o_.dry_run) {
      context_.story.line("dry run: nothing was computed");
      return 0;
    }
    runner_.load();
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
    if (o_.batch_size == 0) return;
    comm::together(world_, "plan", [&] {
      if (batch.empty()) {
        fail(Fault::usage,
             "--batch-size: no input has a symbol such as \"batch\" as its first "
             "extent, or it is a pipeline; the model takes its shape as it is");
      }
    });
    batch_size_ = std::min(o_.batch_size, std::max<std::int64_t>(1, rows_));
    at_most_[batch] = batch_size_;
  }

  // The extents of rows [begin, end).
  shard::Symbols symbols_for(std::int64_t begin, std::int64_t end) const {
    shard::Symbols symbols = symbols_;
    if (batch_size_ > 0) symbols[runner_.batch()] = end - begin;
    return symbols;
  }

  void run_all_rows() {
    const std::int64_t step = batch_size_ > 0 ? batch_size_ : std::max<std::int64_t>(1, rows_);
    const std::int64_t total = batch_size_ > 0 ? rows_ : std::max<std::int64_t>(1, rows_);
    Progress progress(
        world_.rank() == 0 && !o_.quiet ? progress_style(o_.progress) : ProgressStyle::none, "run",
        "rows");
    const Clock::time_point start = Clock::now();
    for (std::int64_t begin = 0; begin < total; begin += step) {
      const std::int64_t end = std::min(total, begin + step);
      stop_if_drained(world_, begin, total);
      Feed feed{everywhere_, groups_ ? &*groups_ : nullptr, {begin, end}, {}};
      feed.fill = [&](std::size_t i, const View& view) {
        inputs_[i].read(rows_of(i, begin, end), view);
      };
      runner_.run(symbols_for(begin, end), feed);
      if (repetition_ == 0) outputs_->take({begin, end});
      progress.show(end, total);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    fastest_ = repetition_ == 0 ? seconds : std::min(fastest_, seconds);
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
    Report report{
        context_.session.node_count(), context_.threads.threads, rows_, fastest_, {}, {}, {}};
    outputs_->finish(report);
    RankTimes mine = runner_.times();
    mine.resident_bytes_at_start = static_cast<std::int64_t>(context_.resident_bytes_at_start);
    report.ranks = gather_times(world_, mine);
    if (o_.explain) beside_ = runner_.times_beside_predictions();
    tell_times(report);
    comm::together(world_, "write report", [&] {
      if (!o_.report.empty() && world_.rank() == 0) write_report(o_, runner_, report);
    });
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
    if (!o_.method.empty() && !runner_.counts().empty()) context_.story.line(runner_.counts());
    for (const std::string& line : beside_) context_.story.line("times: " + line);
    if (rows_ > 1 && fastest_ > 0) {
      context_.story.line(
          fmt::format("{} rows in {:.3f} s: {:.0f} rows per second{}", rows_, fastest_,
                      static_cast<double>(rows_) / fastest_,
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
  std::vector<std::string> beside_;  // --explain: measured beside predicted
  bool everywhere_ = false;
  std::optional<RowGroups> groups_;  // inputs that each part of the ranks brings
  int group_ = 0;                    // of this rank on the dp axis
  std::optional<RunOutputs> outputs_;
  int repetition_ = 0;
  double fastest_ = 0;
};

}  // namespace

int run_inputs(const Context& context) { return InputRun(context).run(); }

}  // namespace tpinfer::launch
