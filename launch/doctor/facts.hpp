// What --doctor looks at: what one rank sees of its host, its limits and its program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tpinfer::launch {

struct RankFacts {
  std::string host;
  std::vector<int> cores;       // that this rank may run on, ascending
  int online_cores = 1;         // of the host
  int omp_threads = 0;          // OMP_NUM_THREADS; 0 = not set
  std::string program_sha256;   // of the executable; "" where it cannot be read
  std::string version;          // --version without the processor's part
  std::string processor;        // BLAS and SIMD
  std::uint64_t shm_bytes = 0;  // /dev/shm: size and free
  std::uint64_t shm_free_bytes = 0;
  std::uint64_t open_files = 0;       // soft limit
  std::uint64_t address_bytes = 0;    // soft limit on address space; 0 = none
  std::uint64_t available_bytes = 0;  // memory that the host or the control group has left
};

// Local; throws nothing: what cannot be found out stays 0 or empty.
RankFacts find_facts();

// For the way between ranks: JSON on one line.
std::string to_text(const RankFacts& facts);
RankFacts facts_from(const std::string& text);

// What the launcher and Slurm say to this process, before MPI is up.
struct LaunchFacts {
  std::string job, step, nodes;              // of Slurm; "" outside
  int job_tasks = 0;                         // tasks that the job asked for
  int step_nodes = 0;                        // nodes of srun's step
  std::string fence;                         // SLURM_PMIX_FENCE
  int restarts = 0;                          // SLURM_RESTART_COUNT
  std::optional<std::int64_t> seconds_left;  // until the job's time limit
  bool pmix = false;                         // a PMIx server speaks to us
  bool root = false, root_allowed = false;
  std::vector<std::string> settings;  // OMPI_MCA_name=value that a person may have set
};

// Local. With `ask_slurm` it may run squeue, once and for at most 3 s: before MPI is up.
LaunchFacts find_launch_facts(bool ask_slurm);

}  // namespace tpinfer::launch
