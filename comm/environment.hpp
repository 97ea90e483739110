// What the environment says of this process before MPI is up. Launchers' variables may be wrong
// (an MPI of another make), so they only decide who prints and checks files, and what to diagnose.
#pragma once

#include <string>

namespace tpinfer::comm {

// This process's number and the number of processes in its step, as the launcher says
// (Open MPI, PMIx, PMI, Slurm steps); 0 and 1 when no launcher speaks.
int environment_rank();
int environment_size();

// The variable that environment_size() was read from, "" when there is none: for diagnoses.
std::string environment_size_source();

// Which launcher started this process. srun only where it starts the processes itself: under mpirun
// in a Slurm job it is mpirun.
enum class StartedBy { nobody, mpirun, mpiexec, srun };  // Open MPI's, MPICH's and Slurm's launcher
StartedBy started_by();

// Cores that this process may run on (its affinity mask), at least 1.
int affinity_cores();

// How many processes want a processor now for each processor of this machine; at least 1.
double crowding();

std::string host_name();

}  // namespace tpinfer::comm
