#include "comm/environment.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

namespace tpinfer::comm {
namespace {

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return {};
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end != '\0' || value < 0 || value > 100'000'000) return {};
  return static_cast<int>(value);
}

// SLURM_PROCID and the like are also set in plain batch shells; only a step has an id.
bool in_slurm_step() {
  return std::getenv("SLURM_STEP_ID") != nullptr && number_in("SLURM_STEP_NUM_TASKS").has_value();
}

struct SizeAnswer {
  int size = 1;
  const char* source = "";
};

SizeAnswer find_size() {
  // MPI_LOCALNRANKS counts one host only; it comes last and still tells one from many.
  constexpr std::array variables{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS",
                                 "MPI_LOCALNRANKS"};
  for (const char* variable : variables) {
    if (variable == variables[2] && !in_slurm_step()) continue;
    if (const auto size = number_in(variable)) return {std::max(1, *size), variable};
  }
  return {};
}

}  // namespace

int environment_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const auto rank = number_in(variable)) return *rank;
  }
  if (in_slurm_step()) return number_in("SLURM_PROCID").value_or(0);
  return number_in("MPI_LOCALRANKID").value_or(0);
}

int environment_size() { return find_size().size; }

std::string environment_size_source() { return find_size().source; }

StartedBy started_by() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr) return StartedBy::mpirun;
  // Inside a Slurm job mpiexec has srun start its daemons, whose variables its ranks inherit.
  if (std::getenv("MPI_LOCALNRANKS") != nullptr) return StartedBy::mpiexec;
  return in_slurm_step() ? StartedBy::srun : StartedBy::nobody;
}

int affinity_cores() {
  // Masks of machines with more than 1024 cores do not fit cpu_set_t: fall back to the count.
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) return std::max(1, CPU_COUNT(&mask));
  return std::max(1u, std::thread::hardware_concurrency());
}

// "27.08 9.11 5.02 17/812 30911" of /proc/loadavg: 17 can run now, this one among them.
double crowding() {
  std::FILE* file = std::fopen("/proc/loadavg", "re");
  if (file == nullptr) return 1;
  int running = 0;
  const int found = std::fscanf(file, "%*f %*f %*f %d", &running);
  std::fclose(file);
  const double cores = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
  return found == 1 ? std::max(1.0, (running - 1) / cores) : 1;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown-host";
  return name.data();
}

}  // namespace tpinfer::comm
