// Rank 0's side of the request loop: requests in, runs, answers out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "launch/overwrite.hpp"
#include "launch/requests/answer.hpp"
#include "launch/requests/answer_file.hpp"
#include "launch/requests/call.hpp"
#include "launch/requests/counts.hpp"
#include "launch/requests/line_queue.hpp"
#include "launch/requests/request_job.hpp"

namespace tpinfer::launch {

// What the server needs of the others.
struct ServerParts {
  const Context& context;
  std::vector<std::unique_ptr<Callable>>& callables;
  KeptFiles kept;  // files that no answer may overwrite
  // Runs on all ranks. Throws comm::AgreedError when they refuse.
  std::function<void(Callable&, const shard::Symbols&,
                     const std::function<void(std::size_t, View)>&)>
      run;
};

class Server {
 public:
  // Opens requests and answers; with --resume skips the requests that are answered. Throws
  // Fault::no_input, Fault::cannot_create, Fault::usage, what RequestJob throws.
  explicit Server(ServerParts parts);

  // Answers until the end of the requests, or until the process is asked to end or --stop-after has
  // come; then what has been taken on is answered first. Throws Fault::io when requests or answers
  // fail, and what `run` throws beyond AgreedError.
  void serve();

  const RequestCounts& counts() const { return counts_; }
  // After serve(): what ended it before the end of the requests, as a line for the log; or "".
  const std::string& stopped() const { return stopped_; }
  // Requests that earlier runs have answered.
  std::int64_t answered_before() const { return answered_before_; }

 private:
  struct Pending;
  struct Ready;

  bool wait();
  void skip(std::int64_t requests);
  std::string reason_to_stop();
  void end(const std::string& reason);
  Pending take(const Line& line) const;
  void answer_calls(std::vector<Pending>& window);
  void prepare(Pending& pending, std::size_t instance, std::vector<Ready>& ready);
  void run_group(std::vector<Ready*> group);
  void store(Ready& ready, const std::vector<View>& outputs);
  void write_answer(const Pending& pending);

  ServerParts parts_;
  std::size_t window_;
  LineQueue queue_;
  AnswerFile answers_;
  std::unique_ptr<RequestJob> job_;  // --resume
  RequestCounts counts_;
  std::int64_t answered_before_ = 0;
  std::string stopped_;
};

}  // namespace tpinfer::launch
