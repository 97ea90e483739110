// What --doctor makes of the facts. Pure: no MPI, no system calls.
#pragma once

#include <string>
#include <vector>

#include "comm/environment.hpp"
#include "launch/doctor/facts.hpp"

namespace tpinfer::launch {

enum class Verdict { ok, warning, problem };

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string topic;     // "cores"
  std::string text;      // what is there
  std::string remedy;    // what to do about it; "" when ok
  bool ordinary = true;  // worth a line of an ordinary run; else it matters before MPI is up only
};

// "warning  cores: n1: 4 ranks of 1 thread on 2 cores; start at most 2 ranks there, ..."
std::string line_of(const Finding& finding);

// The launch as this rank sees it: launcher, Slurm, root, settings. `ranks` as MPI counts them, 0
// when MPI did not start.
std::vector<Finding> judge_launch(const LaunchFacts& facts, comm::StartedBy started_by, int ranks);

// All ranks, in rank order: hosts, programs, cores, shared memory, limits. `threads` as --threads
// says; 0 = by the cores.
std::vector<Finding> judge_ranks(const std::vector<RankFacts>& ranks, int threads);

}  // namespace tpinfer::launch
