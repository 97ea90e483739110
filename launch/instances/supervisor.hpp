// Starts the instances, listens to them and to signals, until all have ended.
#pragma once

#include <poll.h>

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "launch/instances/dispatcher.hpp"
#include "launch/instances/instance.hpp"
#include "launch/instances/launch_options.hpp"
#include "launch/instances/request_stream.hpp"
#include "launch/instances/start_gate.hpp"
#include "runtime/shared_memory.hpp"

namespace tpinfer::launch {

class Supervisor {
 public:
  // Throws what the options' files throw. Blocks the signals that it listens to.
  explicit Supervisor(const LaunchOptions& options);
  // Whatever still runs is ended: asked to, and killed two seconds later.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns the exit code: 0; that of the instance that failed first and was not started again; 75
  // when a signal ended it before everything was done.
  int run();

 private:
  using Clock = Instance::Clock;

  void make_instances();
  void start_due();
  void share_requests();
  void poll_once();
  int wait_milliseconds() const;
  void read_signals();
  void on_stop_signal(int number);
  void kill_all();
  void reap();
  void tell_end(const Instance& instance);
  void log(const std::string& text) const;
  bool all_ended() const;
  bool serves() const { return stream_ != nullptr; }

  LaunchOptions options_;
  Descriptor signals_;
  std::vector<runtime::SharedMemory>
      weights_;  // of the instances: one for each rank of an instance
  std::unique_ptr<StartGate> gate_;
  std::deque<Instance> instances_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<RequestStream> stream_;
  int stop_signals_ = 0, first_failure_ = 0;
  bool cut_short_ = false;  // by a signal
  Clock::time_point kill_at_ = Clock::time_point::max();
};

}  // namespace tpinfer::launch
