#include "launch/doctor/facts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "comm/environment.hpp"
#include "comm/mpi/session.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/math/instruction_set.hpp"
#include "kernels/math/matmul.hpp"
#include "launch/memory_check.hpp"
#include "shard/file/hdf5.hpp"

namespace tpinfer::launch {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::vector<int> affinity() {
  std::vector<int> cores;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &mask)) cores.push_back(core);
  }
  return cores;
}

std::string hash_of_program() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  Sha256 hash;
  std::vector<char> block(1 << 20);
  bool any = false;
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    hash.update(block.data(), static_cast<std::size_t>(file.gcount()));
    any = true;
  }
  return any ? hash.hex() : "";
}

std::uint64_t soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : 0;
}

// Set by launchers for their own use, and not by a person.
bool internal(const std::string& name) {
  for (const char* start :
       {"orte_", "ess", "pmix", "initial_wdir", "shmem_RUNTIME", "plm", "mpi_oversubscribe"}) {
    if (name.starts_with(start)) return true;
  }
  return false;
}

// "1-02:03:04", "5:00", "UNLIMITED" of squeue.
std::optional<std::int64_t> seconds_in(const std::string& text) {
  long long days = 0, hours = 0, minutes = 0, seconds = 0;
  const char* rest = text.c_str();
  if (std::sscanf(rest, "%lld-%lld:%lld:%lld", &days, &hours, &minutes, &seconds) != 4) {
    days = 0;
    if (std::sscanf(rest, "%lld:%lld:%lld", &hours, &minutes, &seconds) != 3) {
      hours = 0;
      if (std::sscanf(rest, "%lld:%lld", &minutes, &seconds) != 2) return {};
    }
  }
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

std::optional<std::int64_t> time_left(const std::string& job) {
  if (const std::string end = variable("SLURM_JOB_END_TIME"); !end.empty()) {
    return std::max<std::int64_t>(0, std::strtoll(end.c_str(), nullptr, 10) - std::time(nullptr));
  }
  const bool number =
      std::all_of(job.begin(), job.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (job.empty() || !number) return {};
  const std::string command = fmt::format("timeout 3 squeue -h -j {} -o %L 2>/dev/null", job);
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  char line[64] = "";
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  pclose(pipe);
  return read ? seconds_in(line) : std::nullopt;
}

}  // namespace

RankFacts find_facts() {
  RankFacts facts;
  facts.host = comm::host_name();
  facts.cores = affinity();
  facts.online_cores = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  facts.omp_threads = std::atoi(variable("OMP_NUM_THREADS").c_str());
  facts.program_sha256 = hash_of_program();
  facts.version = fmt::format("tpinfer {}, {}, {}", TPINFER_VERSION, comm::mpi_version(),
                              shard::hdf5_version());
  facts.processor = fmt::format("{}, SIMD {}", kernels::blas_version(), kernels::instruction_set());
  struct statvfs shm {};
  if (statvfs("/dev/shm", &shm) == 0) {
    facts.shm_bytes = std::uint64_t{shm.f_blocks} * shm.f_frsize;
    facts.shm_free_bytes = std::uint64_t{shm.f_bavail} * shm.f_frsize;
  }
  facts.open_files = soft_limit(RLIMIT_NOFILE);
  facts.address_bytes = soft_limit(RLIMIT_AS);
  facts.available_bytes = available_memory_bytes();
  return facts;
}

std::string to_text(const RankFacts& f) {
  return nlohmann::json{f.host,           f.cores,      f.online_cores,  f.omp_threads,
                        f.program_sha256, f.version,    f.processor,     f.shm_bytes,
                        f.shm_free_bytes, f.open_files, f.address_bytes, f.available_bytes}
      .dump();
}

RankFacts facts_from(const std::string& text) {
  const nlohmann::json j = nlohmann::json::parse(text);
  return {j[0], j[1], j[2], j[3], j[4], j[5], j[6], j[7], j[8], j[9], j[10], j[11]};
}

LaunchFacts find_launch_facts(bool ask_slurm) {
  LaunchFacts facts;
  facts.job = variable("SLURM_JOB_ID");
  facts.step = variable("SLURM_STEP_ID");
  facts.nodes = variable("SLURM_JOB_NODELIST");
  facts.job_tasks = std::atoi(variable("SLURM_NTASKS").c_str());
  facts.step_nodes = std::atoi(variable("SLURM_STEP_NUM_NODES").c_str());
  facts.fence = variable("SLURM_PMIX_FENCE");
  facts.restarts = std::atoi(variable("SLURM_RESTART_COUNT").c_str());
  facts.pmix = !variable("PMIX_NAMESPACE").empty();
  facts.root = geteuid() == 0;
  facts.root_allowed = !variable("OMPI_ALLOW_RUN_AS_ROOT").empty() &&
                       !variable("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM").empty();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string setting = *entry;
    if (setting.starts_with("OMPI_MCA_") && !internal(setting.substr(9))) {
      facts.settings.push_back(setting.substr(9));
    }
  }
  std::sort(facts.settings.begin(), facts.settings.end());
  if (ask_slurm) facts.seconds_left = time_left(facts.job);
  return facts;
}

}  // namespace tpinfer::launch
