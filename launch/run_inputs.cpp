#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <numeric>

#include "comm/activity.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "launch/drain.hpp"
#include "launch/inputs.hpp"
#include "launch/outputs.hpp"
#include "launch/progress.hpp"
#include "launch/report.hpp"
#include "launch/row_groups.hpp"
#include "launch/run.hpp"
#include "shard/plan/batch.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

bool holds(const std::string& text, std::string_view placeholder) {
  return text.find(placeholder) != std::string::npos;
}

// A name that stands for several files.
bool many(const std::string& text) { return holds(text, "{rank}") || holds(text, "{dp}"); }

std::string replaced(std::string text, std::string_view placeholder, int number) {
  for (std::size_t at; (at = text.find(placeholder)) != std::string::npos;) {
    text.replace(at, placeholder.size(), fmt::format("{}", number));
  }
  return text;
}

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
    open_outputs();
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
      mesh = shard::parse_mesh(o_.mesh);
      group_ = shard::data_group(mesh, world_.size(), world_.rank());
    });
    const bool reads = everywhere_ || world_.rank() == 0;
    comm::together(world_, "open input", [&] {
      std::vector<std::string> arguments;
      for (const std::string& input : o_.inputs) {
        arguments.push_back(own(input));
      }
      inputs_ = choose_inputs(runner_.graph(), arguments, context_.model, reads);
      symbols_ = symbols_of(inputs_);
    });
    for (const InputSource& input : inputs_) {
      if (input.stored_dtype() != input.spec().dtype) {
        context_.story.line(
            fmt::format("note: input {}: {} is converted from {} to {}", input.spec().name,
                        input.text(), name_of(input.stored_dtype()), name_of(input.spec().dtype)));
      }
    }
    const std::string batch = shard::batch_symbol(runner_.graph());
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
             "extent; the model takes its shape as it is");
      }
    });
    batch_size_ = std::min(o_.batch_size, std::max<std::int64_t>(1, rows_));
    at_most_[batch] = batch_size_;
  }

  std::string own(const std::string& text) const {
    return replaced(replaced(text, "{rank}", world_.rank()), "{dp}", group_);
  }

  // The extents of rows [begin, end).
  shard::Symbols symbols_for(std::int64_t begin, std::int64_t end) const {
    shard::Symbols symbols = symbols_;
    if (batch_size_ > 0) symbols[shard::batch_symbol(runner_.graph())] = end - begin;
    return symbols;
  }

  void open_outputs() {
    std::vector<shard::ArraySpec> specs;
    for (std::size_t i = 0; i < runner_.output_count(); ++i) {
      const shard::Tensor& tensor = runner_.output_tensor(i);
      specs.push_back({tensor.name, tensor.dtype, tensor.shape});
      if (batch_size_ > 0) specs.back().shape[0] = rows_;
      records_.emplace_back(specs.back(), prints() ? o_.print_head : 0);
    }
    comm::together(world_, "labels", [&] {
      if (!o_.labels.empty() && world_.rank() == 0) {
        accuracy_ = std::make_unique<Accuracy>(o_.labels, specs[0]);
      }
    });
    comm::together(world_, "open output", [&] {
      if (holds(o_.output, "{dp}") && !groups_) {
        fail(Fault::usage,
             "--output with {dp}: the parts of the batch are those of the inputs; give inputs with "
             "{dp} or {rank}, and --mesh dp=2 or more");
      }
      const bool leads = world_.rank() == 0 || (groups_ && groups_->leads());
      const bool writes =
          holds(o_.output, "{rank}") || (holds(o_.output, "{dp}") ? leads : world_.rank() == 0);
      if (o_.output.empty() || !writes) return;  // a dry run creates and drops them
      parts_ = groups_ && many(o_.output);
      for (std::size_t i = 0; parts_ && i < specs.size(); ++i) {
        if (specs[i].shape.empty() || specs[i].shape[0] != rows_) {
          fail(Fault::usage, fmt::format("--output {}: output {} has no rows to divide; name one "
                                         "file for all",
                                         o_.output, specs[i].name));
        }
        specs[i].shape[0] = groups_->mine().size();
      }
      writer_ = shard::create_arrays(own(o_.output), specs);
    });
    comm::together(world_, "print outputs", [&] {
      if (o_.print_rank != "all" && std::stoi(o_.print_rank) >= world_.size()) {
        fail(Fault::usage, fmt::format("--print-rank {}: the ranks are 0 to {}", o_.print_rank,
                                       world_.size() - 1));
      }
    });
  }

  bool prints() const {
    return o_.print_rank == "all" || o_.print_rank == fmt::format("{}", world_.rank());
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
      if (repetition_ == 0) take_outputs({begin, end});
      progress.show(end, total);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    fastest_ = repetition_ == 0 ? seconds : std::min(fastest_, seconds);
  }

  // Inputs without the batch are read whole each time.
  Range rows_of(std::size_t i, std::int64_t begin, std::int64_t end) const {
    const shard::ValueSpec& spec = inputs_[i].spec();
    if (spec.shape.empty()) return {0, 1};
    if (spec.shape[0].symbol == shard::batch_symbol(runner_.graph())) {
      if (groups_) return groups_->local({begin, end});
      if (batch_size_ > 0) return {begin, end};
    }
    const shard::Extent& extent = spec.shape[0];
    return {0, extent.symbol.empty() ? extent.value : symbols_.at(extent.symbol)};
  }

  void take_outputs(Range rows) {
    comm::set_phase("take outputs");
    for (std::size_t i = 0; i < records_.size(); ++i) records_[i].add(runner_.output(i));
    comm::together(world_, "write output", [&] {
      for (std::size_t i = 0; writer_ && i < records_.size(); ++i) {
        const View view = runner_.output(i);
        std::int64_t first = 0, count = view.shape.empty() ? 1 : view.shape[0];
        if (parts_) {
          const Range local = groups_->local(rows);
          first = groups_->mine().begin + local.begin - rows.begin;
          count = local.size();
        }
        if (count == 0) continue;
        const std::size_t row_bytes =
            view.shape.empty() ? 0 : view.bytes() / static_cast<std::size_t>(view.shape[0]);
        writer_->append(
            i,
            static_cast<const std::byte*>(view.data) + static_cast<std::size_t>(first) * row_bytes,
            count);
      }
      if (accuracy_) accuracy_->add(runner_.output(0));
    });
  }

  void finish() {
    comm::set_phase("finish");
    Report report{
        context_.session.node_count(), context_.threads.threads, rows_, fastest_, {}, {}, {}};
    for (OutputRecord& record : records_) {
      const std::string& name = record.spec().name;
      report.outputs.push_back({name, record.spec().dtype, record.spec().shape, record.hash()});
      hashes_agree(world_, "output " + name, report.outputs.back().sha256);
      context_.story.line(fmt::format("output {} sha256 {} equal on {}/{} ranks", name,
                                      report.outputs.back().sha256, world_.size(), world_.size()));
    }
    comm::together(world_, "write output", [&] {
      if (writer_) writer_->finish();
    });
    print_outputs();
    RankTimes mine = runner_.times();
    mine.resident_bytes_at_start = static_cast<std::int64_t>(context_.resident_bytes_at_start);
    report.ranks = gather_times(world_, mine);
    if (o_.explain) beside_ = runner_.times_beside_predictions();
    if (accuracy_) report.accuracy = accuracy_->line();
    tell_times(report);
    comm::together(world_, "write report", [&] {
      if (!o_.report.empty() && world_.rank() == 0) write_report(o_, runner_.planned(), report);
    });
  }

  // Rank 0 prints for all, in rank order, so that lines never mix.
  void print_outputs() {
    std::string mine;
    for (const OutputRecord& record : records_) {
      if (prints() && o_.print_head > 0) mine += record.lines();
    }
    const std::vector<std::string> all = comm::all_gather_texts(world_, mine);
    comm::together(world_, "print outputs", [&] {
      if (world_.rank() != 0) return;
      print(std::accumulate(all.begin(), all.end(), std::string()) +
            (accuracy_ ? accuracy_->line() + "\n" : ""));
    });
  }

  void tell_times(const Report& report) {
    std::int64_t sent = 0;
    for (const RankTimes& rank : report.ranks) sent = std::max(sent, rank.bytes_sent);
    const std::size_t files = context_.model.table().files.size();
    context_.story.line(fmt::format(
        "read {} bytes of weights per rank{}; sent at most {} bytes in all",
        range_text(report.ranks, &RankTimes::weight_bytes_read),
        files == 1 ? ""
                   : fmt::format(" from {} of {} files",
                                 range_text(report.ranks, &RankTimes::files_opened), files),
        sent));
    context_.story.line(times_text(report.ranks));
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
  std::deque<OutputRecord> records_;            // an element never moves
  std::unique_ptr<Accuracy> accuracy_;          // rank 0
  std::unique_ptr<shard::ArrayWriter> writer_;  // rank 0, or every rank
  shard::Symbols symbols_, at_most_;
  std::int64_t rows_ = 0, batch_size_ = 0;
  std::vector<std::string> beside_;  // --explain: measured beside predicted
  bool everywhere_ = false;
  std::optional<RowGroups> groups_;  // inputs that each part of the ranks brings
  bool parts_ = false;               // outputs are written in these parts
  int group_ = 0;                    // of this rank on the dp axis
  int repetition_ = 0;
  double fastest_ = 0;
};

}  // namespace

int run_inputs(const Context& context) { return InputRun(context).run(); }

}  // namespace tpinfer::launch
