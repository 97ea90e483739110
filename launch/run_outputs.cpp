#include "launch/run_outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "comm/activity.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "launch/file_names.hpp"

namespace tpinfer::launch {

RunOutputs::RunOutputs(const Context& context, Runner& runner, const OutputRows& rows)
    : context_(context),
      o_(context.options),
      world_(context.session.world()),
      runner_(runner),
      rows_(rows) {
  std::vector<shard::ArraySpec> specs;
  for (std::size_t i = 0; i < runner_.output_count(); ++i) {
    const shard::Tensor tensor = runner_.output_tensor(i);
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
    if (rows_.in_batches) specs.back().shape[0] = rows_.all;
    records_.emplace_back(specs.back(), prints() ? o_.print_head : 0);
  }
  comm::together(world_, "labels", [&] {
    if (!o_.labels.empty() && world_.rank() == 0) {
      accuracy_ = std::make_unique<Accuracy>(o_.labels, specs[0]);
    }
  });
  comm::together(world_, "open output", [&] { open_files(std::move(specs)); });
  comm::together(world_, "print outputs", [&] {
    if (o_.print_rank != "all" && std::stoi(o_.print_rank) >= world_.size()) {
      fail(Fault::usage,
           fmt::format("--print-rank {}: the ranks are 0 to {}", o_.print_rank, world_.size() - 1));
    }
  });
}

void RunOutputs::open_files(std::vector<shard::ArraySpec> specs) {
  if (rows_.job) return keep_file(std::move(specs));
  const bool per_rank = holds(o_.output, kRankPlaceholder);
  const bool per_part = holds(o_.output, kPartPlaceholder);
  if (per_part && !rows_.groups) {
    fail(Fault::usage,
         "--output with {dp}: the parts of the batch are those of the inputs; give inputs with "
         "{dp} or {rank}, and --mesh dp=2 or more");
  }
  const bool leads = world_.rank() == 0 || (per_part && rows_.groups->leads());
  if (o_.output.empty() || !(per_rank || leads)) return;  // a dry run creates and drops them
  parts_ = rows_.groups && many(o_.output);
  for (std::size_t i = 0; parts_ && i < specs.size(); ++i) {
    if (specs[i].shape.empty() || specs[i].shape[0] != rows_.all) {
      fail(Fault::usage, fmt::format("--output {}: output {} has no rows to divide; name one file "
                                     "for all",
                                     o_.output, specs[i].name));
    }
    specs[i].shape[0] = rows_.groups->mine().size();
  }
  const int part = rows_.groups ? rows_.groups->group() : 0;
  writer_ = shard::create_arrays(own_name(o_.output, world_.rank(), part), specs);
}

void RunOutputs::keep_file(std::vector<shard::ArraySpec> specs) {
  if (world_.rank() != 0) return;
  std::vector<std::int64_t> rows;
  std::string text;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    rows.push_back(rows_restored(i));
    text += fmt::format("{}{} {} {}", i > 0 ? ", " : "", specs[i].name, name_of(specs[i].dtype),
                        to_text(specs[i].shape));
  }
  rows_.job->fact("outputs", text);
  auto kept = rows_.job->keep(std::move(specs), rows);
  kept_ = kept.get();
  writer_ = std::move(kept);
}

// Without batches there is one step: all rows or none.
std::int64_t RunOutputs::rows_restored(std::size_t output) const {
  const std::int64_t done = rows_.job->rows_done();
  if (rows_.in_batches || done == 0) return std::min(done, rows_.all);
  const Shape& shape = records_[output].spec().shape;
  return shape.empty() ? 1 : shape[0];
}

void RunOutputs::restore() {
  comm::set_phase("restore");
  saved_ = rows_.job->rows_done();
  constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const shard::ArraySpec& spec = records_[i].spec();
    const std::int64_t rows = rows_restored(i);
    if (rows == 0) continue;
    const std::size_t row_bytes = byte_count(spec.shape, spec.dtype) /
                                  static_cast<std::size_t>(spec.shape.empty() ? 1 : spec.shape[0]);
    const auto step = static_cast<std::int64_t>(
        std::max<std::size_t>(1, kSlabBytes / std::max<std::size_t>(1, row_bytes)));
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      restore_rows(i, {begin, std::min(rows, begin + step)});
    }
  }
  comm::together(world_, "check progress", [&] {
    for (std::size_t i = 0; kept_ && i < records_.size(); ++i) {
      if (saved_ == 0) continue;
      rows_.job->check_hash("output " + records_[i].spec().name, records_[i].hash());
    }
  });
}

// Every rank holds every output: hashes and what is printed are of these rows too.
void RunOutputs::restore_rows(std::size_t output, Range rows) {
  const shard::ArraySpec& spec = records_[output].spec();
  Shape shape = spec.shape;
  if (!shape.empty()) shape[0] = rows.size();
  std::vector<std::byte> bytes(byte_count(shape, spec.dtype));
  const View view{bytes.data(), spec.dtype, shape};
  comm::together(world_, "restore output", [&] {
    if (!kept_) return;
    kept_->read_rows(output, rows, bytes.data());
    if (o_.check_finite) refuse_not_finite("output " + spec.name, view);
    if (output == 0 && accuracy_) accuracy_->add(view);
  });
  world_.broadcast(bytes.data(), bytes.size(), 0);
  records_[output].add(view);
}

void RunOutputs::save(std::int64_t rows) {
  comm::together(world_, "save progress", [&] {
    if (kept_ && rows > saved_) save_progress(rows);
  });
}

void RunOutputs::save_progress(std::int64_t rows) {
  std::map<std::string, std::string> hashes;
  for (const OutputRecord& record : records_) hashes[record.spec().name] = record.hash();
  rows_.job->save(*kept_, rows, hashes);
  saved_ = rows;
}

bool RunOutputs::prints() const {
  return o_.print_rank == "all" || o_.print_rank == fmt::format("{}", world_.rank());
}

void RunOutputs::take(Range rows) {
  comm::set_phase("take outputs");
  for (std::size_t i = 0; i < records_.size(); ++i) records_[i].add(runner_.output(i));
  comm::together(world_, "write output", [&] {
    for (std::size_t i = 0; writer_ && i < records_.size(); ++i) write(i, rows);
    if (accuracy_) accuracy_->add(runner_.output(0));
    if (kept_ && rows.end < rows_.all && rows_.job->due()) save_progress(rows.end);
  });
}

void RunOutputs::write(std::size_t output, Range rows) {
  const View view = runner_.output(output);
  if (view.shape.empty()) return writer_->append(output, view.data, 1);
  std::int64_t first = 0, count = view.shape[0];
  if (parts_) {
    const Range local = rows_.groups->local(rows);
    first = rows_.groups->mine().begin + local.begin - rows.begin;
    count = local.size();
  }
  if (count == 0) return;
  const std::size_t row_bytes = view.bytes() / static_cast<std::size_t>(view.shape[0]);
  const auto* from = static_cast<const std::byte*>(view.data);
  writer_->append(output, from + static_cast<std::size_t>(first) * row_bytes, count);
}

void RunOutputs::finish(Report& report) {
  for (OutputRecord& record : records_) {
    const std::string& name = record.spec().name;
    report.outputs.push_back({name, record.spec().dtype, record.spec().shape, record.hash()});
    hashes_agree(world_, "output " + name, report.outputs.back().sha256);
    context_.story.line(fmt::format("output {} sha256 {} equal on {}/{} ranks", name,
                                    report.outputs.back().sha256, world_.size(), world_.size()));
  }
  comm::together(world_, "write output", [&] {
    if (kept_) {
      save_progress(rows_.total);
      rows_.job->finishing();
    }
    if (writer_) writer_->finish();
    if (kept_) rows_.job->finished();
  });
  print_outputs();
  if (accuracy_) report.accuracy = accuracy_->line();
}

// Rank 0 prints for all, in rank order, so that lines never mix.
void RunOutputs::print_outputs() {
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

}  // namespace tpinfer::launch
