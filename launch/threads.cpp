#include "launch/threads.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "comm/environment.hpp"
#include "comm/texts.hpp"

namespace tpinfer::launch {
namespace {

// "node7:0,1,5": ranks with equal texts share these cores.
std::string mask_text() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::string text = comm::host_name() + ":";
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return text;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &mask)) text += fmt::format("{},", core);
  }
  return text;
}

}  // namespace

ThreadPlan plan_threads(comm::Session& session, int wanted) {
  const std::string mine = mask_text();
  const std::vector<std::string> all = comm::all_gather_texts(session.world(), mine);
  const auto sharing = static_cast<int>(std::count(all.begin(), all.end(), mine));
  const int cores = comm::affinity_cores();
  const auto online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  ThreadPlan plan;
  plan.threads = wanted > 0 ? wanted : std::max(1, cores / std::max(1, sharing));
  plan.crowded = plan.threads * sharing > cores;
  plan.text = fmt::format(
      "{} thread{} per rank, {}", plan.threads, plan.threads == 1 ? "" : "s",
      cores < online ? fmt::format("bound to {} of {} cores", cores, online)
                     : fmt::format("not bound, {} core{} for {} rank{}", cores,
                                   cores == 1 ? "" : "s", sharing, sharing == 1 ? "" : "s"));
  if (plan.crowded) plan.text += ": more threads than cores, expect no speed";
  if (plan.crowded && cores < online) {
    plan.text += fmt::format(
        " (ask for cores: mpirun --map-by slot:PE={0}, srun --cpus-per-task={0})", plan.threads);
  }
  return plan;
}

}  // namespace tpinfer::launch
