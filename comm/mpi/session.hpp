// The ranks of a run: MPI is up while a Session lives.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

struct SessionOptions {
  std::size_t chunk_bytes = std::size_t{1} << 30;  // no single transfer is larger
};

// Make one per process, early in main and in the main thread; it outlives every Communicator.
// The constructor calls MPI_Init_thread (asking for MPI_THREAD_MULTIPLE) and throws Fault::config
// when another MPI's launcher started this program, so that each process believes to be alone, or
// srun without the PMI that this MPI speaks.
// Both ends are collective. Fault sites: "init", "collective", "finalize".
class Session {
 public:
  explicit Session(const SessionOptions& options = {});

  // For a program that has called MPI_Init itself: the session's world is a duplicate of the
  // communicator with this Fortran handle, freed at the end; MPI stays up. Collective over that
  // communicator. Throws Fault::config when MPI is not up, Fault::usage for no communicator or an
  // inter-communicator. Several may live at once.
  explicit Session(int fortran_communicator, const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Communicator& world();

  int node_count() const;                         // hosts that share no memory with each other
  int ranks_on_node() const;                      // on this host
  int node_rank() const;                          // this rank's number among them, from 0
  const std::vector<std::string>& hosts() const;  // host name by world rank

  bool threads_may_call() const;     // MPI_THREAD_MULTIPLE was granted
  std::string thread_level() const;  // "multiple", "serialized", "funneled", "single"

  // Called once, the latest first, when the session ends, before MPI_Finalize.
  void at_end(std::function<void()> action);

  int fortran_world() const;  // the handle of the world, for the parts of comm/mpi

 private:
  struct State;
  void find_ranks(const SessionOptions& options);
  void leave_communicator();
  std::unique_ptr<State> state_;
};

// Throws Fault::config unless MPI_Init was called and MPI_Finalize was not.
void require_mpi();

// "Open MPI 4.1.4", "MPICH 4.0.2". Needs no session.
std::string mpi_version();

}  // namespace tpinfer::comm
