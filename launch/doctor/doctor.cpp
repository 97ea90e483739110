#include "launch/doctor/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "comm/environment.hpp"
#include "comm/mpi/session.hpp"
#include "comm/mpi/watchdog.hpp"
#include "comm/texts.hpp"
#include "kernels/base/error.hpp"
#include "launch/doctor/findings.hpp"
#include "launch/story.hpp"

namespace tpinfer::launch {
namespace {

void append(std::vector<Finding>& found, std::vector<Finding> more) {
  found.insert(found.end(), more.begin(), more.end());
}

int count(const std::vector<Finding>& found, Verdict verdict) {
  return static_cast<int>(std::count_if(found.begin(), found.end(), [&](const Finding& finding) {
    return finding.verdict == verdict;
  }));
}

int status_of(const std::vector<Finding>& found) {
  return count(found, Verdict::problem) > 0 ? static_cast<int>(Fault::config) : 0;
}

void print_all(const std::vector<Finding>& found) {
  const int problems = count(found, Verdict::problem), warnings = count(found, Verdict::warning);
  std::string text;
  for (const Finding& finding : found) text += line_of(finding) + "\n";
  text += fmt::format("doctor: {} problem{}, {} warning{}\n", problems, problems == 1 ? "" : "s",
                      warnings, warnings == 1 ? "" : "s");
  print(text);
}

// MPI did not start, and every process is alone. The first one speaks.
int alone(const Error& error, const LaunchFacts& launch, int threads) {
  const std::string text = error.what();
  const std::size_t remedy = text.find("; ");
  std::vector<Finding> found{{Verdict::problem, "launcher", text.substr(0, remedy),
                              remedy == text.npos ? "" : text.substr(remedy + 2)}};
  append(found, judge_launch(launch, comm::started_by(), 0));
  append(found, judge_ranks({find_facts()}, threads));
  if (comm::environment_rank() == 0) {
    print_all(found);
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // a launcher may end us all
  }
  return status_of(found);
}

}  // namespace

std::vector<std::string> launch_warnings(int ranks) {
  std::vector<std::string> lines;
  for (const Finding& finding : judge_launch(find_launch_facts(false), comm::started_by(), ranks)) {
    if (finding.verdict == Verdict::ok || !finding.ordinary) continue;
    lines.push_back(
        fmt::format("warning: {}: {}; {}", finding.topic, finding.text, finding.remedy));
  }
  return lines;
}

int run_doctor(const Options& options) {
  comm::Watchdog watchdog(options.timeout_seconds);
  const LaunchFacts launch = find_launch_facts(comm::environment_rank() == 0);
  std::unique_ptr<comm::Session> session;
  try {
    session = std::make_unique<comm::Session>();
  } catch (const Error& error) {
    return alone(error, launch, options.threads);
  }
  watchdog.connect(*session);
  comm::Communicator& world = session->world();
  std::vector<RankFacts> ranks;
  for (const std::string& text : comm::all_gather_texts(world, to_text(find_facts()))) {
    ranks.push_back(facts_from(text));
  }
  std::vector<Finding> found = judge_launch(launch, comm::started_by(), world.size());
  const bool any_thread = session->threads_may_call();
  found.push_back({any_thread ? Verdict::ok : Verdict::warning, "threads",
                   fmt::format("MPI grants \"{}\"", session->thread_level()),
                   any_thread ? "" : "use an MPI with MPI_THREAD_MULTIPLE: the watchdog needs it"});
  append(found, judge_ranks(ranks, options.threads));
  if (world.rank() == 0) print_all(found);
  return status_of(found);
}

}  // namespace tpinfer::launch
