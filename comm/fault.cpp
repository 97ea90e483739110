#include "comm/fault.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "comm/environment.hpp"
#include "comm/fault_order.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

constexpr const char* kVariable = "TPINFER_FAULT";

// In the order in which a run comes to them; tests/cli/fault_sites_check.py compares the list with
// the source and sees that each is reached.
constexpr std::string_view kSites[] = {"start",
                                       "init",
                                       "collective",
                                       "check files",
                                       "calibrate",
                                       "read options",
                                       "open model",
                                       "compare weights",
                                       "read graph",
                                       "open progress",
                                       "open input",
                                       "plan",
                                       "restore input",
                                       "labels",
                                       "open output",
                                       "print outputs",
                                       "open requests",
                                       "open weights",
                                       "allocate memory",
                                       "load weights",
                                       "load",
                                       "map weights",
                                       "check weights",
                                       "check progress",
                                       "restore output",
                                       "wait for the other instances",
                                       "request",
                                       "plan extents",
                                       "read input",
                                       "step",
                                       "check output",
                                       "write output",
                                       "copy output",
                                       "save rows",
                                       "progress written",
                                       "progress renamed",
                                       "rows saved",
                                       "save progress",
                                       "finish output",
                                       "output finished",
                                       "remove progress",
                                       "read known answers",
                                       "compare known answers",
                                       "write report",
                                       "finalize"};

void note(std::string_view site, int visit, const FaultAction& action) {
  const char* path = std::getenv("TPINFER_FAULT_LOG");
  if (path == nullptr) return;
  const std::string line =
      fmt::format("{}:{}:{}:{}\n", site, environment_rank(), visit, action.name);
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) return;
  [[maybe_unused]] const auto written = write(file, line.data(), line.size());
  close(file);
}

void act(std::string_view site, const FaultAction& action) {
  const std::string& name = action.name;
  const std::string text = "fault injected at " + std::string(site);
  if (name == "throw") throw std::runtime_error(text);
  if (name == "error") fail(Fault::data, text);
  if (name == "oom") throw std::bad_alloc();
  if (name == "exit0") _exit(0);
  if (name == "exit3") _exit(3);
  if (name == "abort") std::abort();
  if (name == "kill") raise(SIGKILL);
  if (name == "segv") raise(SIGSEGV);
  if (name == "stop") raise(SIGSTOP);  // until someone sends SIGCONT
  if (name == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(action.milliseconds));
  while (name == "hang") pause();
}

}  // namespace

std::span<const std::string_view> fault_sites() { return kSites; }

namespace detail {

const bool faults_wanted = std::getenv(kVariable) != nullptr;

void reach_fault_site(std::string_view site) {
  static FaultOrder order(std::getenv(kVariable), environment_rank(), environment_size());
  if (const auto action = order.visit(site)) {
    note(site, order.visits(site), *action);
    act(site, *action);
  }
}

}  // namespace detail
}  // namespace tpinfer::comm
