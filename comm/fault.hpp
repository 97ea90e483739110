// Places where tests make a rank fail. Always compiled in; costs one load of a bool when unused.
#pragma once

#include <span>
#include <string_view>

namespace tpinfer::comm {

namespace detail {
extern const bool faults_wanted;
void reach_fault_site(std::string_view site);
}  // namespace detail

// All sites of tpinfer. Those of together() bear the name of its phase.
std::span<const std::string_view> fault_sites();

// What this rank does here is up to TPINFER_FAULT, which has one of two forms.
//
// <site>:<rank>:<nth>:<action>: the rank (a number, or * for all; as environment_rank() says, so
// that it works before MPI_Init) does the action the nth time (from 1, or * for every time) that it
// comes to the site (* for any). Actions:
//   throw (std::runtime_error)  error (Fault::data)  oom (std::bad_alloc)  kill  segv  abort
//   exit0  exit3  hang  stop (SIGSTOP)  slow(MILLISECONDS)
//
// random:<seed>[:<action>,<action>...]: one rank and a quarter of the others are faulty; on these a
// quarter of the sites is active, each with one of the actions (all but slow when none is given),
// which a quarter of the visits suffers. Equal seeds, equal faults.
//
// TPINFER_FAULT_LOG names a file that gets one line for each action, before it is done:
//   <site>:<rank>:<visit>:<action>
// An unreadable TPINFER_FAULT throws Fault::usage at the first site.
inline void fault_site(std::string_view site) {
  if (detail::faults_wanted) detail::reach_fault_site(site);
}

}  // namespace tpinfer::comm
