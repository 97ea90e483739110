// Places where tests make a rank fail. Always compiled in; costs one load of a bool when unused.
#pragma once

#include <string_view>

namespace tpinfer::comm {

namespace detail {
extern const bool faults_wanted;
void reach_fault_site(std::string_view site);
}  // namespace detail

// TPINFER_FAULT=<site>:<rank>:<nth>:<action> makes the rank (a number, or * for all; as
// environment_rank() says, so that it works before MPI_Init) do the action the nth time (from 1,
// or * for every time) that it comes to the site:
//   throw (std::runtime_error)  error (Fault::data)  oom (std::bad_alloc)  kill  segv  abort
//   exit0  hang  stop (SIGSTOP)  slow(MILLISECONDS)
// Sites are named where they stand; every phase of together() is one by its own name. An unreadable
// variable throws Fault::usage at the first site.
inline void fault_site(std::string_view site) {
  if (detail::faults_wanted) detail::reach_fault_site(site);
}

}  // namespace tpinfer::comm
