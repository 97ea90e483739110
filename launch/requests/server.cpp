#include "launch/requests/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>

#include "comm/activity.hpp"
#include "comm/together.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"
#include "launch/drain.hpp"
#include "launch/memory_check.hpp"
#include "shard/arrays/array_writer.hpp"
#include "shard/plan/memory.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBeat{50};

std::size_t max_line_bytes(const Options& options) {
  return static_cast<std::size_t>(shard::parse_bytes("--max-request", options.max_request));
}

// The error that `work` ends with, as JSON; "" when it ends well.
template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error_json(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return error_json(Fault::memory, "out of memory for the request on rank 0");
  } catch (const std::length_error&) {
    return error_json(Fault::memory, "out of memory for the request on rank 0");
  }
}

// Rows [first, first + count) of a tensor with the batch at dimension 0.
View rows_of(const View& whole, std::int64_t first, std::int64_t count) {
  View part = whole;
  const std::size_t row_bytes =
      whole.shape[0] == 0 ? 0 : whole.bytes() / static_cast<std::size_t>(whole.shape[0]);
  part.shape[0] = count;
  part.data = static_cast<std::byte*>(whole.data) + static_cast<std::size_t>(first) * row_bytes;
  return part;
}

}  // namespace

// A request and what is known of its answer so far.
struct Server::Pending {
  Request request;
  Callable* callable = nullptr;
  Encoding encoding;
  std::string error;                 // of the whole request, as JSON
  std::vector<std::string> answers;  // per instance: {"outputs":...} or {"error":...}, inner text
};

// An instance that is to be run.
struct Server::Ready {
  Pending* pending;
  std::size_t instance;
  Call call;
};

Server::Server(ServerParts parts)
    : parts_(std::move(parts)),
      window_(static_cast<std::size_t>(parts_.context.options.batch)),
      queue_(parts_.context.options.requests,
             static_cast<std::size_t>(parts_.context.options.max_queue),
             max_line_bytes(parts_.context.options)),
      answers_(parts_.context.options.output, parts_.context.options.resume) {
  if (!parts_.context.options.resume) return;
  job_ = std::make_unique<RequestJob>(parts_.context, parts_.callables, answers_);
  answered_before_ = job_->done();
}

void Server::serve() {
  skip(answered_before_);
  std::optional<Clock::time_point> start;
  std::string reason;
  while (wait() && (reason = reason_to_stop()).empty()) {
    if (!start) start = Clock::now();
    std::vector<Line> lines = queue_.take(window_);
    if (lines.empty()) return end("");
    std::vector<Pending> window;
    for (Line& line : lines) {
      window.push_back(take(line));
      line.text = {};
    }
    answer_calls(window);
    for (const Pending& pending : window) write_answer(pending);
    counts_.seconds = std::chrono::duration<double>(Clock::now() - *start).count();
  }
  end(reason.empty() ? fmt::format("signal {}", drain_signal()) : reason);
}

// The first requests, which are answered.
void Server::skip(std::int64_t requests) {
  while (requests > 0 && wait()) {
    const std::size_t taken =
        queue_.take(static_cast<std::size_t>(std::min<std::int64_t>(requests, 64))).size();
    if (taken == 0) return;  // the file has become shorter: finished() says so
    requests -= static_cast<std::int64_t>(taken);
  }
}

std::string Server::reason_to_stop() {
  if (!job_ || !job_->time_is_up()) return "";
  return "--stop-after " + parts_.context.options.stop_after;
}

// `reason`: "" at the end of the requests.
void Server::end(const std::string& reason) {
  if (job_ && reason.empty()) return job_->finished();
  answers_.sync();
  if (reason.empty()) return;
  if (job_) {
    job_->save();
    stopped_ = job_->stopped_text(reason);
  } else {
    stopped_ = fmt::format("ended by {}: {} answered, run the others again", reason,
                           counted(static_cast<std::size_t>(counts_.requests), "request"));
  }
}

// Until there is something to take, or the end has come; false when the process is asked to end.
bool Server::wait() {
  comm::set_phase("wait for requests");
  while (drain_signal() == 0) {
    if (queue_.wait(kBeat)) {
      comm::set_phase("answer requests");
      return drain_signal() == 0;
    }
    beat();
  }
  return false;
}

Server::Pending Server::take(const Line& line) const {
  Pending pending;
  if (line.too_long > 0) {
    pending.error =
        error_json(Fault::data, fmt::format("a line of {} bytes, more than --max-request {} allows",
                                            line.too_long, parts_.context.options.max_request));
    return pending;
  }
  pending.error = error_of([&] {
    pending.request = parse_request(line.text);
    if (!pending.request.problem.empty()) fail(Fault::data, pending.request.problem);
    pending.callable =
        &choose_callable(pending.request, parts_.callables, parts_.context.model.version());
    pending.encoding = choose_encoding(pending.request, pending.callable->outputs());
    pending.answers.resize(pending.request.instances.size());
  });
  return pending;
}

// Instance by instance, at most window_ of them in memory at a time.
void Server::answer_calls(std::vector<Pending>& window) {
  std::vector<Ready> ready;
  const auto run_ready = [&] {
    std::vector<bool> done(ready.size(), false);
    for (std::size_t i = 0; i < ready.size(); ++i) {
      if (done[i]) continue;
      std::vector<Ready*> group{&ready[i]};
      for (std::size_t j = i + 1; j < ready.size(); ++j) {
        if (done[j] || !may_share(ready[i].call, ready[j].call)) continue;
        group.push_back(&ready[j]);
        done[j] = true;
      }
      run_group(std::move(group));
    }
    ready.clear();
  };
  for (Pending& pending : window) {
    for (std::size_t i = 0; pending.error.empty() && i < pending.answers.size(); ++i) {
      prepare(pending, i, ready);
      if (ready.size() == window_) run_ready();
    }
  }
  run_ready();
}

void Server::prepare(Pending& pending, std::size_t instance, std::vector<Ready>& ready) {
  Instance& given = pending.request.instances[instance];
  const std::string error = error_of([&] {
    Ready fresh{&pending, instance, prepare_call(*pending.callable, given, parts_.context.model)};
    ready.push_back(std::move(fresh));
  });
  given = {};  // its text is no longer needed
  if (error.empty()) return;
  ++counts_.errors;
  pending.answers[instance] = "\"error\":" + error;
}

// As one run; where that is refused (no memory for so many rows), one by one.
void Server::run_group(std::vector<Ready*> group) {
  Callable& callable = *group[0]->call.callable;
  shard::Symbols symbols = group[0]->call.symbols;
  const bool shared = group.size() > 1;
  std::int64_t rows = 0;
  for (const Ready* one : group) {
    if (!shared) break;
    // Rows of no elements may be as many as there are numbers.
    if (__builtin_add_overflow(rows, one->call.symbols.at(callable.batch()), &rows)) {
      for (Ready* alone : group) run_group({alone});
      return;
    }
  }
  if (shared) symbols[callable.batch()] = rows;
  const auto has_rows = [&](std::size_t i) {
    const std::vector<shard::Extent>& shape = callable.inputs()[i].shape;
    return !shape.empty() && shape[0].symbol == callable.batch();
  };
  const auto fill = [&](std::size_t i, const View& whole) {
    auto* to = static_cast<std::byte*>(whole.data);
    for (const Ready* one : group) {
      const std::vector<std::byte>& from = one->call.inputs[i];
      if (!from.empty()) std::memcpy(to, from.data(), from.size());
      to += from.size();
      if (!shared || !has_rows(i)) break;
    }
  };
  try {
    parts_.run(callable, symbols, fill);
  } catch (const comm::AgreedError& error) {
    if (shared) {
      for (Ready* one : group) run_group({one});
      return;
    }
    ++counts_.errors;
    group[0]->pending->answers[group[0]->instance] =
        "\"error\":" + error_json(error.fault(), error.what());
    return;
  }
  ++counts_.runs;
  std::int64_t first = 0;
  for (Ready* one : group) {
    const std::int64_t count = shared ? one->call.symbols.at(callable.batch()) : 0;
    std::vector<View> outputs;
    for (std::size_t i = 0; i < callable.outputs().size(); ++i) {
      const View whole = callable.output(i);
      outputs.push_back(shared ? rows_of(whole, first, count) : whole);
    }
    store(*one, outputs);
    first += count;
  }
}

void Server::store(Ready& ready, const std::vector<View>& outputs) {
  Pending& pending = *ready.pending;
  std::string& answer = pending.answers[ready.instance];
  const std::string error = error_of([&] {
    answer = "\"outputs\":{";
    for (const std::size_t i : pending.encoding.outputs) {
      const std::string& name = pending.callable->outputs()[i];
      std::string path;
      if (pending.encoding.kind == Encoding::Kind::file) {
        path = file_name(pending.encoding, pending.request.id, ready.instance, name);
        parts_.kept.refuse("encoding", path);
        const auto writer = shard::create_arrays(
            path, {shard::ArraySpec{name, outputs[i].dtype, outputs[i].shape}});
        const std::int64_t rows = outputs[i].shape.empty() ? 1 : outputs[i].shape[0];
        if (rows > 0) writer->append(0, outputs[i].data, rows);
        writer->finish();
      } else {
        check_own_memory("the answer", text_bytes(outputs[i], pending.encoding.kind));
      }
      answer += (answer.back() == '{' ? "" : ",") + quoted(name) + ':' +
                tensor_json(outputs[i], pending.encoding.kind, path);
    }
    answer += '}';
  });
  if (error.empty()) return;
  ++counts_.errors;
  answer = "\"error\":" + error;
}

void Server::write_answer(const Pending& pending) {
  std::string line = "{\"id\":" + pending.request.id + ',';
  if (!pending.error.empty()) {
    ++counts_.errors;
    line += "\"error\":" + pending.error;
  } else if (pending.request.in_instances) {
    line += "\"instances\":[";
    for (const std::string& answer : pending.answers) {
      line += (line.back() == '[' ? "{" : ",{") + answer + '}';
    }
    line += ']';
  } else {
    line += pending.answers[0];
  }
  counts_.instances += static_cast<std::int64_t>(pending.answers.size());
  line += '}';
  answers_.write(line);
  ++counts_.requests;
  if (job_) job_->answered(line);
}

}  // namespace tpinfer::launch
