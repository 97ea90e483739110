// tpinfer: the MPI program. mpirun -n 8 tpinfer --model model.h5
#include <signal.h>

#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <thread>

#include "comm/activity.hpp"
#include "comm/environment.hpp"
#include "comm/fault.hpp"
#include "comm/last_words.hpp"
#include "comm/mpi/abort.hpp"
#include "comm/mpi/session.hpp"
#include "comm/mpi/watchdog.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "launch/calibrate.hpp"
#include "launch/drain.hpp"
#include "launch/memory_check.hpp"
#include "launch/open_model.hpp"
#include "launch/overwrite.hpp"
#include "launch/run.hpp"
#include "shard/arrays/output_file.hpp"

#include <fmt/format.h>

namespace {

using namespace tpinfer;

// All ranks see the same wrong command line: the first one says so. The others let it speak: a
// launcher ends all ranks, even one that has not come this far, as soon as one of them fails.
int refuse(const Error& error) {
  if (comm::environment_rank() == 0) {
    comm::say(error.what());
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return static_cast<int>(error.fault());
}

int run(const launch::Options& options, comm::Session& session, launch::EarlyCheck& check) {
  const std::size_t resident_bytes = launch::peak_resident_bytes();
  comm::Communicator& world = session.world();
  launch::watch_signals();
  launch::Story story(world.rank() == 0 && !options.quiet);
  if (!options.calibrate.empty()) {
    comm::together(world, "check files", [&] {
      launch::KeptFiles kept;
      kept.add("the model", options.model);
      kept.refuse("--calibrate", options.calibrate);
    });
    launch::calibrate(options, session, story);
    story.finish();
    return 0;
  }
  const std::unique_ptr<runtime::Model> model = launch::open_model(world, options, check, story);
  comm::together(world, "check files", [&] {
    if (world.rank() != 0) return;
    launch::KeptFiles kept;
    for (std::size_t i = 0; i < model->file_count(); ++i) {
      launch::add_files_of(model->table(i), kept);
    }
    launch::refuse_overwriting(options, std::move(kept), world.size());
  });
  const launch::ThreadPlan threads = launch::plan_threads(session, options.threads);
  set_thread_count(threads.threads);
  for (const std::string& name : model->unused_weights()) {
    story.line(fmt::format("note: weight {} is used by no graph", name));
  }
  const launch::Context context{options, session, *model, story, threads, resident_bytes};
  const int status = options.check ? launch::run_check(context) : launch::run_inputs(context);
  story.finish();
  return status;
}

// Errors that all ranks agreed on leave through main; others end the run from here.
int run_session(const launch::Options& options) {
  comm::Watchdog watchdog(options.timeout_seconds);
  comm::fault_site("start");
  launch::EarlyCheck check(options);
  comm::Session session;
  watchdog.connect(session);
  try {
    return run(options, session, check);
  } catch (const comm::AgreedError& error) {
    if (session.world().rank() == 0) comm::say(error.what());
    return static_cast<int>(error.fault());
  } catch (const Error& error) {
    comm::abort_run(error.fault(),
                    fmt::format("rank {} on {}: {}: {}", session.world().rank(), comm::host_name(),
                                comm::current_phase(), error.what()));
  } catch (const std::bad_alloc&) {
    comm::abort_run(Fault::memory,
                    fmt::format("rank {} on {}: {}: out of memory", session.world().rank(),
                                comm::host_name(), comm::current_phase()));
  } catch (const std::exception& error) {
    comm::abort_run(Fault::internal,
                    fmt::format("rank {} on {}: {}: {}", session.world().rank(), comm::host_name(),
                                comm::current_phase(), error.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // | head -1 is no failure
  signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of writing
  comm::add_cleanup(shard::remove_temporaries);
  try {
    const launch::CommandLine command = launch::parse_command_line(argc, argv);
    if (command.text) {
      if (comm::environment_rank() == 0) launch::print(*command.text);
      return 0;
    }
    return run_session(command.options);
  } catch (const Error& error) {
    return refuse(error);
  } catch (const std::exception& error) {
    return refuse(Error(Fault::internal, error.what()));
  }
}
