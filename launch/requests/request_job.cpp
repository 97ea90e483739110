#include "launch/requests/request_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "comm/fault.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"
#include "launch/requests/request_file.hpp"
#include "shard/plan/memory.hpp"

namespace tpinfer::launch {
namespace {

constexpr const char* kUnit = "requests";
constexpr const char* kAnswers = "answers";

// Whole answers at the begin of a file.
struct KeptAnswers {
  std::int64_t lines = 0;
  std::size_t bytes = 0;
  std::string certain_hash;  // of the first ones
};

// After a crash of the host the lines beyond the `certain` ones may hold anything: the first one
// that is no JSON ends what is kept. Adds what is kept to `hash`.
KeptAnswers read_answers(const std::string& path, std::int64_t certain, Sha256& hash) {
  std::ifstream file(path, std::ios::binary);
  KeptAnswers kept;
  for (std::string line; std::getline(file, line) && !file.eof(); ++kept.lines) {
    beat();
    if (kept.lines >= certain && !nlohmann::json::accept(line)) break;
    line += '\n';
    hash.update(line.data(), line.size());
    kept.bytes += line.size();
    if (kept.lines + 1 == certain) kept.certain_hash = hash.hex_so_far();
  }
  return kept;
}

std::size_t max_line_bytes(const Options& options) {
  return static_cast<std::size_t>(shard::parse_bytes("--max-request", options.max_request));
}

// What decides the answers: the model, the requests, what they may call, the options that tell.
Facts request_facts(const Context& context, const std::vector<std::unique_ptr<Callable>>& callables,
                    const RequestFile& requests) {
  Facts facts = facts_of(context, callables[0]->signature(), to_text(requests));
  for (auto& [name, value] : facts.same) {
    if (name == "inputs") name = kUnit;
  }
  std::string names;
  for (const auto& callable : callables) {
    names += (names.empty() ? "" : ", ") + callable->signature().label();
  }
  facts.same.emplace_back("callables", names);
  facts.same.emplace_back("--max-request", fmt::format("{}", max_line_bytes(context.options)));
  facts.same.emplace_back("--check-finite", context.options.check_finite ? "on" : "off");
  return facts;
}

}  // namespace

RequestJob::RequestJob(const Context& context,
                       const std::vector<std::unique_ptr<Callable>>& callables, AnswerFile& answers)
    : options_(context.options),
      answers_(answers),
      path_(progress_path(options_.output)),
      stop_time_(options_.stop_after) {
  const RequestFile requests = read_request_file(options_.requests, max_line_bytes(options_));
  const Facts facts = request_facts(context, callables, requests);
  mine_.unit = kUnit;
  mine_.facts = facts.same;
  mine_.model_times = facts.model_times;
  mine_.total = requests.requests;
  begin(facts);
}

void RequestJob::begin(const Facts& facts) {
  const std::optional<JobProgress> found = read_progress(path_, kUnit);
  const std::int64_t certain = found ? found->done : 0;
  const KeptAnswers kept = read_answers(options_.output, certain, hash_);
  if (!found && answers_.bytes() > 0) {
    fail(Fault::data,
         fmt::format("--resume: {} has {} bytes, but {} is missing: nobody knows what they answer; "
                     "remove {} to start again",
                     options_.output, answers_.bytes(), path_, options_.output));
  }
  if (found && (certain > 0 || kept.lines > 0)) {
    check(*found, facts);
    const std::string again = start_again_text(path_, kUnit);
    if (kept.lines < certain || kept.lines > mine_.total) {
      fail(Fault::data,
           fmt::format("{}: {} of {} requests are answered, but {} has {}{}", path_, certain,
                       mine_.total, options_.output,
                       counted(static_cast<std::size_t>(kept.lines), "answer"), again));
    }
    const auto hash = found->hashes.find(kAnswers);
    if (certain > 0 && (hash == found->hashes.end() || hash->second != kept.certain_hash)) {
      fail(Fault::data, fmt::format("{}: the first {} in {} were changed{}", path_,
                                    counted(static_cast<std::size_t>(certain), "answer"),
                                    options_.output, again));
    }
  }
  mine_.done = kept.lines;
  answers_.cut(kept.bytes);
  save();
}

void RequestJob::check(const JobProgress& found, const Facts& facts) const {
  for (const auto& [name, value] : facts.same) check_fact(path_, found, name, value);
  if (found.model_times == facts.model_times) return;
  // Equal sizes and samples, but other times: the weights may still differ.
  try {
    facts.prove_model();
  } catch (const Error& error) {
    if (error.fault() != Fault::data) throw;
    fail(Fault::data,
         fmt::format("{}: {} of {} requests are answered, but model {}{}", path_, found.done,
                     found.total, error.what(), start_again_text(path_, kUnit)));
  }
}

bool RequestJob::time_is_up() {
  stop_time_.begin_batch();
  return stop_time_.too_late(save_seconds_);
}

void RequestJob::answered(const std::string& line) {
  hash_.update(line.data(), line.size());
  hash_.update("\n", 1);
  ++mine_.done;
  const double seconds = std::chrono::duration<double>(Clock::now() - saved_).count();
  if (seconds >= options_.save_every) save();
}

void RequestJob::save() {
  const Clock::time_point start = Clock::now();
  comm::fault_site("save rows");
  answers_.sync();
  comm::fault_site("rows saved");
  mine_.hashes[kAnswers] = hash_.hex_so_far();
  write_progress(path_, mine_);
  saved_ = Clock::now();
  save_seconds_ = std::max(save_seconds_, std::chrono::duration<double>(saved_ - start).count());
}

void RequestJob::finished() {
  if (mine_.done != mine_.total) {
    fail(Fault::data,
         fmt::format("--requests {}: {} at the start, {} now; leave the file alone "
                     "while it is answered",
                     options_.requests, counted(static_cast<std::size_t>(mine_.total), "request"),
                     mine_.done));
  }
  answers_.sync();
  comm::fault_site("remove progress");
  remove_progress(path_);
}

std::string RequestJob::stopped_text(const std::string& reason) const {
  return fmt::format("ended by {} after {} of {} requests, kept in {}; run it again with --resume",
                     reason, mine_.done, mine_.total, options_.output);
}

void refuse_to_lose_answers(const std::string& output) {
  if (output.empty()) return;
  const std::string path = progress_path(output);
  if (std::error_code error; !std::filesystem::exists(path, error)) return;
  fail(Fault::data,
       fmt::format("--output {}: an interrupted run has answers there; --resume continues it{}",
                   output, start_again_text(path, kUnit)));
}

}  // namespace tpinfer::launch
