// Whether this program was started by a launcher that its MPI library understands.
#pragma once

namespace tpinfer::comm {

// Before MPI_Init. Throws Fault::config when srun started us without the PMIx that Open MPI needs
// (srun --mpi=none or pmi2): MPI_Init would end the process by itself, with status 1 and a page of
// text that names another remedy. Only where this Open MPI is known to have no other way: a build
// with Slurm's own PMI is left alone, and so is one whose plug-ins are not found. Local.
void refuse_srun_without_pmix();

// After MPI_Init. Throws Fault::config when another MPI's launcher started several processes, each
// of which believes to be alone and would run the whole job. Ends MPI first. Local.
void refuse_wrong_launcher();

}  // namespace tpinfer::comm
