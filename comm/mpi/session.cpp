#include "comm/mpi/session.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "comm/activity.hpp"
#include "comm/checked.hpp"
#include "comm/environment.hpp"
#include "comm/fault.hpp"
#include "comm/meter.hpp"
#include "comm/mpi/abort.hpp"
#include "comm/mpi/check.hpp"
#include "comm/mpi/communicator.hpp"
#include "comm/mpi/launcher.hpp"
#include "comm/texts.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

// Open MPI's ranks spin while they wait; it yields by itself only when its launcher knows that
// there are more ranks than cores, which it does not with a narrow affinity mask or container.
void yield_when_crowded() {
  const char* ranks = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (ranks == nullptr) return;
  // When the launcher has bound us, our mask is our own share and not what the ranks divide.
  const bool bound = std::getenv("OMPI_MCA_orte_bound_at_launch") != nullptr;
  const long cores = bound ? sysconf(_SC_NPROCESSORS_ONLN) : affinity_cores();
  if (std::atol(ranks) > cores) setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

MPI_Comm usable_communicator(int fortran_handle) {
  require_mpi();
  int between = 0;
  const MPI_Comm comm = MPI_Comm_f2c(fortran_handle);
  if (comm == MPI_COMM_NULL) {
    fail(Fault::usage, "MPI_COMM_NULL is no communicator to run on; leave this rank out");
  }
  check_mpi(MPI_Comm_test_inter(comm, &between), "MPI_Comm_test_inter");
  if (between) fail(Fault::usage, "an inter-communicator cannot run a model; merge it first");
  return comm;
}

}  // namespace

void require_mpi() {
  int up = 0, down = 0;
  MPI_Initialized(&up);
  MPI_Finalized(&down);
  if (!up || down) {
    fail(Fault::config, "MPI is not up: call between MPI_Init and MPI_Finalize");
  }
}

struct Session::State {
  MPI_Comm comm = MPI_COMM_WORLD;
  bool owns_mpi = true;  // else: owns comm
  int thread_level = MPI_THREAD_SINGLE;
  int node_count = 1, ranks_on_node = 1, node_rank = 0;
  std::vector<std::string> hosts;
  std::unique_ptr<Communicator> world;
  std::vector<std::function<void()>> at_end;

  void find_nodes() {
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
              "MPI_Comm_split_type");
    check_mpi(MPI_Comm_size(node, &ranks_on_node), "MPI_Comm_size");
    check_mpi(MPI_Comm_rank(node, &node_rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
    const int leads = node_rank == 0 ? 1 : 0;
    check_mpi(MPI_Allreduce(&leads, &node_count, 1, MPI_INT, MPI_SUM, comm), "MPI_Allreduce");
  }
};

Session::Session(const SessionOptions& options) : state_(std::make_unique<State>()) {
  set_phase("start MPI");
  fault_site("init");
  refuse_srun_without_pmix();
  yield_when_crowded();
  const Waiting waiting("MPI_Init");
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &state_->thread_level),
            "MPI_Init_thread");
  refuse_wrong_launcher();
  // Errors come back as codes, which we turn into exceptions that say what failed.
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  find_ranks(options);
}

Session::Session(int fortran_communicator, const SessionOptions& options)
    : state_(std::make_unique<State>()) {
  state_->owns_mpi = false;
  const MPI_Comm given = usable_communicator(fortran_communicator);
  set_phase("start");
  const Waiting waiting("MPI_Comm_dup");
  check_mpi(MPI_Query_thread(&state_->thread_level), "MPI_Query_thread");
  check_mpi(MPI_Comm_dup(given, &state_->comm), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(state_->comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  find_ranks(options);
}

void Session::find_ranks(const SessionOptions& options) {
  state_->find_nodes();
  // Set-up is not the run's communication: it gets a meter of its own.
  const int handle = fortran_world();
  const auto setup =
      mpi_communicator(handle, false, options.chunk_bytes, std::make_shared<Meter>());
  state_->hosts = all_gather_texts(*setup, host_name());
  state_->world = mpi_communicator(handle, false, options.chunk_bytes, std::make_shared<Meter>());
  if (calls_are_checked()) state_->world = checked(std::move(state_->world));
}

Session::~Session() {
  if (!state_->owns_mpi) {
    leave_communicator();
    return;
  }
  try {
    for (auto it = state_->at_end.rbegin(); it != state_->at_end.rend(); ++it) (*it)();
    set_phase("end MPI");
    fault_site("finalize");
  } catch (const Error& error) {
    abort_run(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    abort_run(Fault::memory, "out of memory while the run ends");
  } catch (const std::exception& error) {
    abort_run(Fault::internal, error.what());  // a destructor has no other way to say it
  }
  state_->world.reset();
  const Waiting waiting("MPI_Finalize");
  MPI_Finalize();
}

// The process is not ours to end.
void Session::leave_communicator() {
  int ended = 0;
  MPI_Finalized(&ended);
  if (ended) return;
  try {
    for (auto it = state_->at_end.rbegin(); it != state_->at_end.rend(); ++it) (*it)();
  } catch (const std::exception&) {
    return;  // MPI has failed: there is nothing left to free
  }
  state_->world.reset();
  const Waiting waiting("MPI_Comm_free");
  MPI_Comm_free(&state_->comm);
}

Communicator& Session::world() { return *state_->world; }
int Session::node_count() const { return state_->node_count; }
int Session::ranks_on_node() const { return state_->ranks_on_node; }
int Session::node_rank() const { return state_->node_rank; }
const std::vector<std::string>& Session::hosts() const { return state_->hosts; }
bool Session::threads_may_call() const { return state_->thread_level == MPI_THREAD_MULTIPLE; }

std::string Session::thread_level() const {
  switch (state_->thread_level) {
    case MPI_THREAD_MULTIPLE:
      return "multiple";
    case MPI_THREAD_SERIALIZED:
      return "serialized";
    case MPI_THREAD_FUNNELED:
      return "funneled";
    default:
      return "single";
  }
}

void Session::at_end(std::function<void()> action) { state_->at_end.push_back(std::move(action)); }

int Session::fortran_world() const { return MPI_Comm_c2f(state_->comm); }

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  // "Open MPI v4.1.4, package: ..." or "MPICH Version:\t4.0.2\nMPICH Release date: ..."
  std::string version(text, static_cast<std::size_t>(length));
  version = version.substr(0, version.find_first_of(",\n"));
  for (const auto& [from, to] : {std::pair{" v", " "}, std::pair{" Version:\t", " "}}) {
    const std::size_t at = version.find(from);
    if (at != version.npos) version.replace(at, std::string(from).size(), to);
  }
  return version;
}

}  // namespace tpinfer::comm
