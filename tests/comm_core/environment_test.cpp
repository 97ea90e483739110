#include "comm/environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace tpinfer::comm {
namespace {

// Sees exactly the given launcher variables; puts the process's own back at the end.
class Launcher {
 public:
  explicit Launcher(const std::map<std::string, std::string>& variables) {
    for (const char* name : kNames) {
      if (const char* value = std::getenv(name)) saved_[name] = value;
      unsetenv(name);
    }
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Launcher() {
    for (const char* name : kNames) unsetenv(name);
    for (const auto& [name, value] : saved_) setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  static constexpr const char* kNames[] = {"OMPI_COMM_WORLD_RANK",
                                           "OMPI_COMM_WORLD_SIZE",
                                           "PMIX_RANK",
                                           "PMI_RANK",
                                           "PMI_SIZE",
                                           "MPI_LOCALRANKID",
                                           "MPI_LOCALNRANKS",
                                           "SLURM_PROCID",
                                           "SLURM_NTASKS",
                                           "SLURM_STEP_ID",
                                           "SLURM_STEP_NUM_TASKS"};
  std::map<std::string, std::string> saved_;
};

TEST(Environment, WithoutALauncher) {
  const Launcher none({});
  EXPECT_EQ(environment_rank(), 0);
  EXPECT_EQ(environment_size(), 1);
  EXPECT_EQ(environment_size_source(), "");
}

TEST(Environment, OpenMpi) {
  const Launcher mpirun({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}});
  EXPECT_EQ(environment_rank(), 3);
  EXPECT_EQ(environment_size(), 8);
  EXPECT_EQ(environment_size_source(), "OMPI_COMM_WORLD_SIZE");
}

TEST(Environment, WhoStartedIt) {
  const std::map<std::string, std::string> step{{"SLURM_STEP_ID", "0"},
                                                {"SLURM_STEP_NUM_TASKS", "2"}};
  const auto with = [&](std::map<std::string, std::string> variables, bool in_step) {
    if (in_step) variables.insert(step.begin(), step.end());
    const Launcher launcher(variables);
    return started_by();
  };
  EXPECT_EQ(with({}, false), StartedBy::nobody);
  EXPECT_EQ(with({}, true), StartedBy::srun);
  EXPECT_EQ(with({{"PMIX_RANK", "0"}}, true), StartedBy::srun);
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "2"}}, false), StartedBy::mpirun);
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "2"}}, true), StartedBy::mpirun);
  EXPECT_EQ(with({{"PMI_RANK", "0"}, {"MPI_LOCALNRANKS", "1"}}, true), StartedBy::mpiexec);
  EXPECT_EQ(with({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "2"}}, false), StartedBy::nobody);
}

TEST(Environment, Hydra) {
  const Launcher mpiexec({{"PMI_RANK", "2"}, {"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "2"}});
  EXPECT_EQ(environment_rank(), 2);
  EXPECT_EQ(environment_size(), 4);
}

TEST(Environment, SlurmStepButNotBatchShell) {
  {
    const Launcher batch({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}});
    EXPECT_EQ(environment_size(), 1);
  }
  const Launcher step({{"SLURM_NTASKS", "8"},
                       {"SLURM_PROCID", "5"},
                       {"SLURM_STEP_ID", "0"},
                       {"SLURM_STEP_NUM_TASKS", "6"}});
  EXPECT_EQ(environment_rank(), 5);
  EXPECT_EQ(environment_size(), 6);
}

TEST(Environment, NonsenseIsIgnored) {
  const Launcher odd({{"OMPI_COMM_WORLD_SIZE", "many"}, {"PMI_SIZE", "-4"}, {"PMI_RANK", "1x"}});
  EXPECT_EQ(environment_rank(), 0);
  EXPECT_EQ(environment_size(), 1);
}

TEST(Environment, ThisMachine) {
  EXPECT_GE(affinity_cores(), 1);
  EXPECT_FALSE(host_name().empty());
}

TEST(Environment, CrowdingCountsThoseThatWantAProcessor) {
  EXPECT_GE(crowding(), 1);
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<bool> stop{false};
  std::vector<std::jthread> busy;
  for (unsigned i = 0; i < 4 * cores; ++i) {
    busy.emplace_back([&] {
      while (!stop) {
      }
    });
  }
  double most = 0;
  for (int i = 0; i < 50 && most < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    most = std::max(most, crowding());
  }
  stop = true;
  EXPECT_GE(most, 2);
}

}  // namespace
}  // namespace tpinfer::comm
