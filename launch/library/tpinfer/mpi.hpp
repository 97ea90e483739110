// From an MPI communicator to what tpinfer::Model takes. For programs that use MPI's C interface.
#pragma once

#include <mpi.h>

#include <tpinfer/tpinfer.hpp>

namespace tpinfer {

// Local. MPI may be down: then Model's constructor says so.
inline Communicator communicator(MPI_Comm comm) {
#if defined(OPEN_MPI)
  const char* library = "Open MPI";
#elif defined(MPICH_VERSION)
  const char* library = "MPICH";
#else
  const char* library = "";
#endif
  int up = 0, down = 0;
  MPI_Initialized(&up);
  MPI_Finalized(&down);
  return {up && !down ? static_cast<int>(MPI_Comm_c2f(comm)) : 0, library};
}

}  // namespace tpinfer
