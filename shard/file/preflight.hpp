// Checks a model file in a process of its own, which may crash or run away without harm.
#pragma once

#include <string>

#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// Runs `helper_program` (tpinfer-preflight: a program without MPI and BLAS, with limits on memory,
// CPU time and files) on the file and returns its table. Call before MPI_Init. Throws what
// scan_model throws; Fault::data when the HDF5 library crashed or ran away on the file, saying how;
// Fault::config when the helper cannot be run. Beats while it waits; the helper is gone afterwards.
// `for_planning`: datasets that were never written are fine (Limits::allow_unallocated).
ModelTable preflight(const std::string& path, const std::string& helper_program,
                     bool for_planning = false);

// Where the helper is: beside this program or in libexec/tpinfer of the same installation; for
// libtpinfer.so, in the installation of the library.
std::string helper_beside_program();

// The helper's side: scans the file and returns what it prints: a table, or {"fault", "text"}.
std::string preflight_answer(const std::string& path, bool for_planning = false);

}  // namespace tpinfer::shard
