// The pipe through which mpirun passes its stdin on to rank 0.
#pragma once

namespace tpinfer::launch {

// Makes the pipe on stdin as large as the system allows without privilege (1 MiB by default), and
// leaves any other stdin as it is. To be called before MPI is initialised, on every rank.
//
// mpirun of Open MPI 4 may die of SIGSEGV (github.com/open-mpi/ompi/issues/7483) when its own stdin
// ends while the pipe is full: orte_iof_hnp_read_local_handler then uses what the write handler has
// released. The larger the pipe, the less of the requests waits in mpirun.
void widen_stdin_pipe();

}  // namespace tpinfer::launch
