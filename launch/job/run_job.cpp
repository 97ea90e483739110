#include "launch/job/run_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "comm/activity.hpp"
#include "comm/fault.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "launch/drain.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {

RunJob::RunJob(const Options& options, comm::Communicator& world)
    : options_(options), world_(world), progress_path_(progress_path(options.output)) {}

std::int64_t RunJob::open(std::int64_t total, const Facts& facts) {
  total_ = total;
  comm::together(world_, "open progress", [&] {
    stop_time_.emplace(options_.stop_after);
    if (world_.rank() != 0) return;
    file_ = std::make_unique<shard::OutputFile>(options_.output, shard::OutputFile::Naming::kept);
    mine_.total = total;
    read_progress_of(total);
    for (const auto& [name, value] : facts.same) fact(name, value);
    compare_model(facts);
  });
  world_.broadcast(&rows_done_, sizeof rows_done_, 0);
  return rows_done_;
}

void RunJob::read_progress_of(std::int64_t total) {
  std::optional<JobProgress> found = read_progress(progress_path_);
  if (!found || found->done == 0) {
    if (file_->was_there()) file_->start_again();
    return;
  }
  const std::string kept = shard::kept_path(options_.output);
  if (!file_->was_there() && found->finishing) {
    // It ended between putting the output in place and removing the progress.
    if (!shard::kept_becomes_target(options_.output) ||
        !std::filesystem::exists(shard::resolved_path(options_.output))) {
      return;
    }
    file_ =
        std::make_unique<shard::OutputFile>(options_.output, shard::OutputFile::Naming::in_place);
  }
  if (!file_->was_there()) {
    fail(Fault::data, fmt::format("{}: {} of {} rows are done, but {} is missing; remove {} to "
                                  "start again",
                                  progress_path_, found->done, found->total, kept, progress_path_));
  }
  found_ = std::move(found);
  rows_done_ = found_->done;
  if (found_->total != total) {
    fail(Fault::data,
         fmt::format("{}: {} of {} rows are done, now there are {} rows{}", progress_path_,
                     found_->done, found_->total, total, start_again_text(progress_path_)));
  }
}

void RunJob::fact(const std::string& name, const std::string& value) {
  mine_.facts.emplace_back(name, value);
  if (found_) check_fact(progress_path_, *found_, name, value);
}

// Files with the same sizes and samples, but other times, may still hold other weights.
void RunJob::compare_model(const Facts& facts) {
  mine_.model_times = facts.model_times;
  if (!found_ || found_->model_times == facts.model_times) return;
  try {
    facts.prove_model();
  } catch (const Error& error) {
    if (error.fault() != Fault::data) throw;
    fail(Fault::data,
         fmt::format("{}: {} of {} rows are done, but model {}{}", progress_path_, found_->done,
                     found_->total, error.what(), start_again_text(progress_path_)));
  }
}

std::unique_ptr<shard::KeptArrays> RunJob::keep(std::vector<shard::ArraySpec> arrays,
                                                const std::vector<std::int64_t>& rows_done) {
  try {
    return shard::keep_arrays(std::move(file_), std::move(arrays), rows_done);
  } catch (const Error& error) {
    if (error.fault() != Fault::data) throw;
    fail(Fault::data, error.what() + start_again_text(progress_path_));
  }
}

void RunJob::add_input(const std::string& name, const View& view) {
  inputs_[name].update(view.data, view.bytes());
}

void RunJob::check_hash(const std::string& what, const std::string& hash) const {
  if (!found_) return;
  const auto at = found_->hashes.find(what);
  if (at != found_->hashes.end() && at->second == hash) return;
  fail(Fault::data,
       fmt::format("{}: the first {} rows of {} have sha256 {}, {} had {}{}", progress_path_,
                   found_->done, what, hash, "when they were made they",
                   at == found_->hashes.end() ? "none" : shard::printable(at->second),
                   start_again_text(progress_path_)));
}

void RunJob::check_inputs() const {
  for (const auto& [name, hash] : inputs_) check_hash("input " + name, hash.hex_so_far());
}

bool RunJob::due() const {
  return std::chrono::duration<double>(Clock::now() - saved_).count() >= options_.save_every;
}

void RunJob::save(shard::KeptArrays& writer, std::int64_t rows,
                  const std::map<std::string, std::string>& output_hashes) {
  const Clock::time_point start = Clock::now();
  comm::fault_site("save rows");
  writer.save();
  comm::fault_site("rows saved");
  mine_.done = rows;
  mine_.hashes.clear();
  for (const auto& [name, hash] : output_hashes) mine_.hashes["output " + name] = hash;
  for (const auto& [name, hash] : inputs_) mine_.hashes["input " + name] = hash.hex_so_far();
  write_progress(progress_path_, mine_);
  writer.keep();
  saved_ = Clock::now();
  save_seconds_ = std::max(save_seconds_, std::chrono::duration<double>(saved_ - start).count());
}

void RunJob::finishing() {
  mine_.finishing = true;
  write_progress(progress_path_, mine_);
  comm::fault_site("finish output");
}

void RunJob::finished() {
  comm::fault_site("output finished");
  if (!shard::kept_becomes_target(options_.output)) {
    shard::remove_file(shard::kept_path(options_.output));
  }
  comm::fault_site("remove progress");
  remove_progress(progress_path_);
}

std::string RunJob::reason_to_stop() {
  constexpr int kTimeIsUp = -1, kGoOn = -2;
  stop_time_->begin_batch();
  const bool late = world_.rank() == 0 && stop_time_->too_late(save_seconds_);
  const int reason = agreed_stop(world_, late ? kTimeIsUp : kGoOn);
  return reason == kGoOn       ? ""
         : reason == kTimeIsUp ? "--stop-after " + options_.stop_after
                               : fmt::format("signal {}", reason);
}

void RunJob::stop(const std::string& reason, std::int64_t rows) const {
  const std::string where =
      rows == 0 ? "nothing is kept yet" : "kept in " + shard::kept_path(options_.output);
  throw comm::AgreedError(Fault::temporary,
                          fmt::format("ended by {} after {} of {} rows, {}; run it again with "
                                      "--resume",
                                      reason, rows, total_, where));
}

std::string interrupted_text(const std::string& output) {
  const std::string path = progress_path(output);
  try {
    const std::optional<JobProgress> found = read_progress(path);
    if (!found) return "";
    return fmt::format("{}: {} of {} rows of an interrupted run are kept; --resume continues it",
                       path, found->done, found->total);
  } catch (const Error&) {
    return fmt::format("{} of an interrupted run cannot be read", path);
  }
}

}  // namespace tpinfer::launch
