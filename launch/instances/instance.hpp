// One instance: its process, its lines, its failures.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "launch/instances/child.hpp"
#include "launch/instances/line_reader.hpp"

namespace tpinfer::launch {

// What an instance wrote, line by line.
struct LineSinks {
  std::function<void(int instance, std::string line)> out, err;
};

class Instance {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State { waiting, running, ended };  // waiting: to be started at `start_at`

  Instance(int number, ChildSpec spec, int restarts, const LineSinks& sinks);

  void start();

  // Hands on what it has written; closes a stream at its end.
  void read_output();
  void read_errors();
  // Puts bytes on their way to its stdin; send_now() when poll() says that it takes some.
  void send(const std::string& line) { unsent_ += line + "\n"; }
  void send_now();
  // Nothing more will be sent: its stdin ends when it has taken what is on its way.
  void end_input() { ending_input_ = true; }

  // The process has ended with this status of waitpid(): hands on the rest of its output. It is
  // `ended` now.
  void end(int status);
  // `waiting` instead, when it failed, the next start may do better and there is one left.
  void start_again_if_failed(bool work_left);
  // It was to be started again; nobody needs it any more.
  void cancel();

  void signal(int number) const;        // to the process alone: an MPI launcher passes it on
  void signal_group(int number) const;  // to all that it started, too

  int number() const { return number_; }
  State state() const { return state_; }
  Clock::time_point start_at() const { return start_at_; }
  double seconds() const;             // that the process has run, or ran
  int code() const { return code_; }  // exit code; 128 + the signal's number
  int starts() const { return starts_; }
  int restarts_left() const { return restarts_left_; }
  const Child& child() const { return child_; }
  const std::vector<int>& cores() const { return spec_.cores; }
  bool wants_to_send() const { return child_.in.open() && (!unsent_.empty() || ending_input_); }

 private:
  void read_stream(Descriptor& stream, LineReader& lines);

  int number_;
  ChildSpec spec_;
  int restarts_left_;
  Child child_;
  LineReader out_, err_;
  std::string unsent_;
  std::size_t sent_ = 0;  // bytes of it
  bool ending_input_ = false;
  State state_ = State::waiting;
  Clock::time_point start_at_ = Clock::now(), started_, ended_;
  int code_ = 0, starts_ = 0;
};

}  // namespace tpinfer::launch
