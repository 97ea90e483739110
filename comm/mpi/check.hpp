// MPI's error codes as our errors.
#pragma once

namespace tpinfer::comm {

// Throws Fault::internal "MPI_Bcast: <MPI's text>" unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace tpinfer::comm
