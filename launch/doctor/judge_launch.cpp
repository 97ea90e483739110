#include <fmt/format.h>

#include "launch/doctor/findings.hpp"

namespace tpinfer::launch {
namespace {

std::string name_of(comm::StartedBy started_by) {
  switch (started_by) {
    case comm::StartedBy::mpirun:
      return "mpirun (Open MPI)";
    case comm::StartedBy::mpiexec:
      return "mpiexec (MPICH)";
    case comm::StartedBy::srun:
      return "srun";
    default:
      return "no launcher";
  }
}

std::string duration(std::int64_t seconds) {
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

// The value of a setting, "" when it is not there.
std::string value_of(const LaunchFacts& facts, const std::string& name) {
  for (const std::string& setting : facts.settings) {
    if (setting.starts_with(name + "=")) return setting.substr(name.size() + 1);
  }
  return "";
}

void judge_slurm(const LaunchFacts& facts, comm::StartedBy started_by, int ranks,
                 std::vector<Finding>& found) {
  if (facts.job.empty()) return;
  std::string text = fmt::format("job {}", facts.job);
  text += started_by == comm::StartedBy::srun ? fmt::format(", step {}", facts.step)
                                              : ", outside of its steps";
  text += fmt::format(", {} task{} on {}", facts.job_tasks, facts.job_tasks == 1 ? "" : "s",
                      facts.nodes);
  if (facts.restarts > 0) text += fmt::format(", started again {} times", facts.restarts);
  if (facts.seconds_left) text += fmt::format(", {} left", duration(*facts.seconds_left));
  const bool alone = started_by == comm::StartedBy::nobody && facts.job_tasks > 1 && ranks == 1;
  if (alone) text += "; started without a launcher, so there is 1 rank";
  found.push_back({alone ? Verdict::warning : Verdict::ok, "slurm", text,
                   alone ? "write srun --mpi=pmix --kill-on-bad-exit=1 before tpinfer" : ""});
}

// Over Slurm 22.05's tree of nodes some ranks leave MPI_Init early, and their first message reaches
// one that cannot take it yet: SIGSEGV (docs/slurm.md has the figures).
void judge_fence(const LaunchFacts& facts, comm::StartedBy started_by,
                 std::vector<Finding>& found) {
  const bool several = started_by == comm::StartedBy::srun && facts.pmix && facts.step_nodes > 1;
  if (!several || facts.fence == "ring") return;
  found.push_back({Verdict::warning, "fence",
                   fmt::format("srun on {} nodes: with some versions of Slurm a few starts in a "
                               "hundred end with SIGSEGV in MPI_Init",
                               facts.step_nodes),
                   "export SLURM_PMIX_FENCE=ring", false});
}

void judge_settings(const LaunchFacts& facts, comm::StartedBy started_by,
                    std::vector<Finding>& found) {
  if (!facts.settings.empty()) {
    found.push_back(
        {Verdict::ok, "settings", fmt::format("{}", fmt::join(facts.settings, ", ")), ""});
  }
  const std::string btl = value_of(facts, "btl");
  const bool shares = btl.empty() || btl.starts_with('^') || btl.find("vader") != btl.npos ||
                      btl.find("sm") != btl.npos;
  if (!shares) {
    found.push_back({Verdict::warning, "settings",
                     fmt::format("btl={}: ranks of one host do not talk through memory", btl),
                     "unset OMPI_MCA_btl, or add vader"});
  }
  if (started_by == comm::StartedBy::mpirun) {
    const std::string grace = value_of(facts, "odls_base_sigkill_timeout");
    const int seconds = grace.empty() ? 1 : std::atoi(grace.c_str());
    found.push_back({Verdict::ok, "signals",
                     fmt::format("ranks have {} s from mpirun's SIGTERM to its SIGKILL, which "
                                 "OMPI_MCA_odls_base_sigkill_timeout changes; SIGUSR1 has no limit",
                                 seconds),
                     ""});
  }
}

}  // namespace

std::string line_of(const Finding& finding) {
  constexpr const char* names[] = {"ok", "warning", "problem"};
  return fmt::format("{:<8} {}: {}{}{}", names[static_cast<int>(finding.verdict)], finding.topic,
                     finding.text, finding.remedy.empty() ? "" : "; ", finding.remedy);
}

std::vector<Finding> judge_launch(const LaunchFacts& facts, comm::StartedBy started_by, int ranks) {
  std::vector<Finding> found;
  if (ranks > 0) {
    found.push_back({Verdict::ok, "launcher",
                     fmt::format("{}{}, {} rank{}", name_of(started_by),
                                 facts.pmix ? " with PMIx" : "", ranks, ranks == 1 ? "" : "s"),
                     ""});
  }
  judge_slurm(facts, started_by, ranks, found);
  judge_fence(facts, started_by, found);
  if (facts.root) {
    found.push_back(
        {facts.root_allowed ? Verdict::ok : Verdict::warning, "root",
         facts.root_allowed ? "mpirun is allowed to run as root" : "mpirun refuses to run as root",
         facts.root_allowed ? ""
                            : "export OMPI_ALLOW_RUN_AS_ROOT=1 "
                              "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
         false});
  }
  judge_settings(facts, started_by, found);
  return found;
}

}  // namespace tpinfer::launch
