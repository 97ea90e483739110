// A request loop that may end and go on (--resume): which requests are answered for good.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/sha256.hpp"
#include "launch/job/facts.hpp"
#include "launch/job/progress_file.hpp"
#include "launch/job/stop_time.hpp"
#include "launch/requests/answer_file.hpp"
#include "launch/requests/callable.hpp"

namespace tpinfer::launch {

// The answers stand line by line in the file of --output; beside it, until all requests are
// answered, answers.jsonl.progress says of which model and requests they are, and how many of them
// are on disk for sure. For rank 0, local.
class RequestJob {
 public:
  // Reads the requests once. Keeps the whole answers of an earlier run and cuts off the rest, else
  // begins. `answers` was opened to resume. Throws Fault::data, changing nothing, when there are
  // answers of another model, of other requests, or without progress; what reading throws.
  RequestJob(const Context& context, const std::vector<std::unique_ptr<Callable>>& callables,
             AnswerFile& answers);

  // Requests that are answered, those of earlier runs included, and all of them.
  std::int64_t done() const { return mine_.done; }
  std::int64_t total() const { return mine_.total; }

  // Before requests are taken; whether the time of --stop-after has come.
  bool time_is_up();
  // A line that was written, without its end. Goes to disk from time to time (--save-every). Throws
  // Fault::io.
  void answered(const std::string& line);
  // The answers to disk, then their number. Throws Fault::io, Fault::cannot_create.
  void save();
  // All are answered: to disk, and no progress is left. Throws Fault::data when the requests have
  // changed meanwhile, Fault::io.
  void finished();

  // "ended by signal 10 after 3 of 50 requests, kept in answers.jsonl; ...".
  std::string stopped_text(const std::string& reason) const;

 private:
  using Clock = std::chrono::steady_clock;
  void begin(const Facts& facts);
  void check(const JobProgress& found, const Facts& facts) const;

  const Options& options_;
  AnswerFile& answers_;
  std::string path_;  // of the progress
  StopTime stop_time_;
  JobProgress mine_;
  Sha256 hash_;  // of the answers
  Clock::time_point saved_ = Clock::now();
  double save_seconds_ = 0;  // the slowest so far
};

// Throws Fault::data when `output` holds answers that a run without --resume would lose.
void refuse_to_lose_answers(const std::string& output);

}  // namespace tpinfer::launch
