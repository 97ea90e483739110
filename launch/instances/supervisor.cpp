#include "launch/instances/supervisor.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "comm/last_words.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/instances/cores.hpp"
#include "launch/instances/variables.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::chrono::seconds kGrace{5};  // between asking an instance to end and killing it

Descriptor listen_to_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Descriptor signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.open()) fail(Fault::internal, fmt::format("signalfd: {}", std::strerror(errno)));
  return signals;
}

void make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0) return;
  struct stat found {};
  if (errno == EEXIST && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return;
  fail(Fault::cannot_create, fmt::format("--log-dir {}: {}", path, std::strerror(errno)));
}

}  // namespace

Supervisor::Supervisor(const LaunchOptions& options)
    : options_(options), signals_(listen_to_signals()) {
  if (!options.requests.empty()) {
    dispatcher_ = std::make_unique<Dispatcher>(options.instances, options.in_flight);
    stream_ = std::make_unique<RequestStream>(
        options.requests, options.output,
        [this](std::string line) { dispatcher_->add(std::move(line)); });
  }
  if (!options.log_dir.empty()) make_folder(options.log_dir);
  make_instances();
}

Supervisor::~Supervisor() {
  for (const Instance& instance : instances_) instance.signal_group(SIGTERM);
  const Clock::time_point end = Clock::now() + std::chrono::seconds(2);
  while (!all_ended()) {
    if (Clock::now() > end) {
      for (const Instance& instance : instances_) instance.signal_group(SIGKILL);
    }
    for (Instance& instance : instances_) {
      instance.cancel();
      int status = 0;
      if (instance.state() != Instance::State::running) continue;
      if (waitpid(instance.child().pid, &status, WNOHANG) > 0) instance.end(status);
    }
    poll(nullptr, 0, 10);
  }
}

void Supervisor::make_instances() {
  const std::vector<int> allowed = allowed_cores();
  const std::vector<int> cores =
      options_.cores.empty() ? allowed : parse_cores(options_.cores, allowed);
  const std::vector<std::vector<int>> parts = divide_cores(cores, options_.instances);
  const auto ranks =
      static_cast<std::size_t>(options_.instances) * static_cast<std::size_t>(options_.ranks);
  if (ranks > cores.size()) {
    comm::say(fmt::format("oversubscribed: {} of {} on {}: they share cores, expect no speed",
                          counted(static_cast<std::size_t>(options_.instances), "instance"),
                          counted(static_cast<std::size_t>(options_.ranks), "rank"),
                          counted(cores.size(), "core")));
  }
  const LineSinks sinks{
      [this](int number, std::string line) {
        if (!serves()) {
          write_all(STDOUT_FILENO, fmt::format("[{}] {}\n", number, line));
        } else if (!dispatcher_->answer(number, std::move(line))) {
          log(fmt::format("note: instance {} wrote a line that answers no request", number));
        }
      },
      [](int number, std::string line) {
        const std::string ours = "tpinfer: ";
        if (line.starts_with(ours)) line.erase(0, ours.size());
        comm::say(fmt::format("instance {}: {}", number, line));
      }};
  std::string weights;
  for (int r = 0; r < options_.ranks && options_.instances > 1; ++r) {
    weights_.push_back(runtime::SharedMemory::make());
    weights += (r == 0 ? "" : ":") + weights_.back().path();
  }
  if (options_.start_together) gate_ = std::make_unique<StartGate>(options_.instances);
  for (int i = 0; i < options_.instances; ++i) {
    const std::vector<int>& mine = parts[static_cast<std::size_t>(i)];
    ChildSpec spec;
    spec.command = command_of(options_, i, mine.size());
    spec.cores = mine;
    spec.environment = {fmt::format("{}={}", kInstanceVariable, i),
                        fmt::format("{}={}", kWeightsVariable, weights)};
    if (gate_) spec.environment.push_back(fmt::format("{}={}", kGateVariable, gate_->path()));
    spec.has_input = serves();
    if (!options_.log_dir.empty()) {
      const std::string front = fmt::format("{}/instance-{}", options_.log_dir, i);
      if (!serves()) spec.output = front + ".out";
      spec.errors = front + ".err";
    }
    instances_.emplace_back(i, std::move(spec), options_.restarts, sinks);
  }
}

void Supervisor::log(const std::string& text) const {
  if (!options_.quiet) comm::say(text);
}

bool Supervisor::all_ended() const {
  return std::all_of(instances_.begin(), instances_.end(), [](const Instance& instance) {
    return instance.state() == Instance::State::ended;
  });
}

void Supervisor::start_due() {
  for (Instance& instance : instances_) {
    if (instance.state() != Instance::State::waiting || instance.start_at() > Clock::now()) {
      continue;
    }
    instance.start();
    log(fmt::format("instance {}: process {}, cores {}", instance.number(), instance.child().pid,
                    cores_text(instance.cores())));
    if (serves()) dispatcher_->set_up(instance.number(), true);
  }
}

void Supervisor::share_requests() {
  if (all_ended() && !(stream_->ended() && dispatcher_->empty())) {
    stream_->stop();
    dispatcher_->give_up("no instance is left to work on it");
  }
  while (const auto assignment = dispatcher_->next()) {
    Instance& instance = instances_[static_cast<std::size_t>(assignment->instance)];
    instance.send(assignment->line);
    instance.send_now();
  }
  while (const auto answer = dispatcher_->take_ready()) stream_->write_answer(*answer);
  if (!stream_->ended() || !dispatcher_->empty()) return;
  for (Instance& instance : instances_) {
    instance.cancel();  // the others have done its work
    instance.end_input();
    instance.send_now();
  }
}

int Supervisor::run() {
  for (;;) {
    start_due();
    if (serves()) share_requests();
    if (all_ended()) break;
    poll_once();
  }
  if (serves()) {
    std::string each;
    std::int64_t all = dispatcher_->errors();
    for (const Instance& instance : instances_) {
      each += fmt::format(", {} by instance {}", dispatcher_->answered(instance.number()),
                          instance.number());
      all += dispatcher_->answered(instance.number());
    }
    log(
        fmt::format("requests: {} answered{}; {} moved when an instance died; {} that none could "
                    "answer",
                    all, each, dispatcher_->moved(), dispatcher_->errors()));
    if (stop_signals_ > 0 && !stream_->complete()) cut_short_ = true;
  }
  if (first_failure_ != 0) return first_failure_;
  return cut_short_ ? static_cast<int>(Fault::temporary) : 0;
}

int Supervisor::wait_milliseconds() const {
  Clock::time_point next = kill_at_;
  for (const Instance& instance : instances_) {
    if (instance.state() == Instance::State::waiting) next = std::min(next, instance.start_at());
  }
  if (next == Clock::time_point::max()) return -1;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 60'000));
}

void Supervisor::poll_once() {
  std::vector<pollfd> entries{{signals_.get(), POLLIN, 0}};
  std::vector<std::function<void()>> actions{[this] { read_signals(); }};
  auto add = [&](int descriptor, short events, std::function<void()> action) {
    if (descriptor < 0) return;
    entries.push_back({descriptor, events, 0});
    actions.push_back(std::move(action));
  };
  if (serves() && !stream_->ended() && dispatcher_->wants_more()) {
    add(stream_->input(), POLLIN, [this] { stream_->read_some(); });
  }
  for (Instance& instance : instances_) {
    const Child& child = instance.child();
    add(child.out.get(), POLLIN, [&instance] { instance.read_output(); });
    add(child.err.get(), POLLIN, [&instance] { instance.read_errors(); });
    if (instance.wants_to_send()) {
      add(child.in.get(), POLLOUT, [&instance] { instance.send_now(); });
    }
  }
  poll(entries.data(), entries.size(), wait_milliseconds());
  // Signals last: an instance that has ended is taken off when its lines have been read.
  for (std::size_t i = entries.size(); i-- > 0;) {
    if (entries[i].revents != 0) actions[i]();
  }
  if (Clock::now() > kill_at_) {
    for (const Instance& instance : instances_) instance.signal_group(SIGKILL);
    kill_at_ = Clock::time_point::max();
  }
}

void Supervisor::read_signals() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) on_stop_signal(static_cast<int>(info.ssi_signo));
  }
  reap();
}

void Supervisor::on_stop_signal(int number) {
  ++stop_signals_;
  if (stop_signals_ > 1) {
    comm::say(fmt::format("signal {} again: the instances are killed", number));
    return kill_all();
  }
  if (serves()) {
    log(
        fmt::format("signal {}: the requests that have been read are answered, then it ends; a "
                    "second signal kills",
                    number));
    return stream_->stop();
  }
  log(fmt::format("signal {}: passed on to the instances; a second one kills them", number));
  cut_short_ = !all_ended();
  for (Instance& instance : instances_) {
    instance.cancel();
    instance.signal(SIGUSR1);
  }
}

void Supervisor::kill_all() {
  cut_short_ = true;
  if (serves()) {
    stream_->stop();
    dispatcher_->give_up("stopped by a signal");
  }
  for (Instance& instance : instances_) {
    instance.cancel();
    instance.signal_group(SIGTERM);
  }
  kill_at_ = Clock::now() + kGrace;
}

void Supervisor::reap() {
  for (Instance& instance : instances_) {
    int status = 0;
    if (instance.state() != Instance::State::running) continue;
    if (waitpid(instance.child().pid, &status, WNOHANG) <= 0) continue;
    instance.end(status);
    if (serves()) dispatcher_->lost(instance.number());
    const bool work_left = !serves() || !stream_->ended() || !dispatcher_->empty();
    if (stop_signals_ == 0 || serves()) instance.start_again_if_failed(work_left);
    tell_end(instance);
    if (gate_) gate_->open();  // the others must not wait for it
  }
}

void Supervisor::tell_end(const Instance& instance) {
  const int code = instance.code();
  const std::string end = code == 0 ? fmt::format("instance {}: done after {:.3f} s",
                                                  instance.number(), instance.seconds())
                                    : fmt::format("instance {}: exit {} after {:.3f} s",
                                                  instance.number(), code, instance.seconds());
  if (instance.state() == Instance::State::waiting) {
    return log(
        fmt::format("{}; it is started again ({} more times)", end, instance.restarts_left()));
  }
  code == 0 ? log(end) : comm::say(end);
  if (code == 0 || first_failure_ != 0) return;
  // What our own signals did to it is no failure.
  first_failure_ = stop_signals_ > 0 ? static_cast<int>(Fault::temporary) : code;
}

}  // namespace tpinfer::launch
