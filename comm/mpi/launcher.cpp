#include "comm/mpi/launcher.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <mpi.h>

#include <cstdlib>
#include <filesystem>

#include "comm/environment.hpp"
#include "comm/mpi/check.hpp"
#include "comm/mpi/session.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

// Open MPI 4 keeps its ways to meet a launcher in plug-ins mca_pmix_*.so beside its library; s1 and
// s2 are Slurm's own PMI. True when there are plug-ins and none of these two.
bool speaks_pmix_only() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&MPI_Init_thread), &info) == 0) return false;
  std::error_code error;
  const std::filesystem::path library = std::filesystem::canonical(info.dli_fname, error);
  if (error) return false;
  bool found = false;
  for (const char* folder : {"openmpi", "openmpi/lib/openmpi3"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(library.parent_path() / folder, error)) {
      const std::string name = entry.path().filename();
      if (name == "mca_pmix_s1.so" || name == "mca_pmix_s2.so") return false;
      found = found || name.starts_with("mca_pmix_");
    }
  }
  return found;
}

}  // namespace

void refuse_srun_without_pmix() {
  const bool by_srun = started_by() == StartedBy::srun;
  if (!by_srun || std::getenv("PMIX_NAMESPACE") != nullptr || !speaks_pmix_only()) return;
  const char* kind = std::getenv("SLURM_MPI_TYPE");
  fail(Fault::config,
       fmt::format("wrong launcher: srun started this step {}, which {} does not understand; use "
                   "srun --mpi=pmix (in a shell started by srun: mpirun)",
                   kind != nullptr                    ? fmt::format("with --mpi={}", kind)
                   : std::getenv("PMI_FD") != nullptr ? "with --mpi=pmi2"
                                                      : "without PMI",
                   mpi_version()));
}

void refuse_wrong_launcher() {
  int size = 1;
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  if (size > 1 || environment_size() < 2) return;
  // Slurm starts any MPI's processes, each in its own way.
  const std::string remedy =
      started_by() == StartedBy::srun
          ? "use srun --mpi=pmix or --mpi=pmi2, whichever it speaks"
          : fmt::format("start this program with the launcher of {}", mpi_version());
  const std::string text =
      fmt::format("wrong launcher: {}={} but {} counts 1 rank; {}", environment_size_source(),
                  environment_size(), mpi_version(), remedy);
  MPI_Finalize();
  fail(Fault::config, text);
}

}  // namespace tpinfer::comm
