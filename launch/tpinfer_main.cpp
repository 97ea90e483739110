// tpinfer: the MPI program. mpirun -n 8 tpinfer --model model.h5
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <string_view>
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
#include "launch/doctor/doctor.hpp"
#include "launch/drain.hpp"
#include "launch/instance_log.hpp"
#include "launch/memory_check.hpp"
#include "launch/open_model.hpp"
#include "launch/overwrite.hpp"
#include "launch/requests/stdin_pipe.hpp"
#include "launch/run.hpp"
#include "shard/arrays/output_file.hpp"

#include <fmt/format.h>

namespace {

using namespace tpinfer;

// A stream that came closed would be the next file that MPI opens: requests would be read from it,
// or answers written to it. So it is one that refuses both, as a closed one does.
void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    (void)open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
  }
}

// Before the tables of operators and formats are made, which takes memory.
[[gnu::constructor(101)]] void before_all() {
  comm::abort_on_terminate();
  fill_closed_streams();
}

volatile sig_atomic_t continued = 0;

// An error before the ranks can speak with each other. Often all have it: the first one says so,
// and the launcher then ends the others, beginning with SIGCONT (Open MPI) or SIGTERM (srun), or at
// once; they leave with the same code. Who is not ended within a second is alone with its error and
// says it.
int refuse(Fault fault, const char* text) {
  const int rank = comm::environment_rank();
  if (rank != 0) {
    for (int number : {SIGCONT, SIGTERM}) signal(number, [](int) { continued = 1; });
    for (int i = 0; i < 100 && continued == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    // The command line and the launcher are the same for all ranks.
    if (continued == 0 && fault != Fault::usage && fault != Fault::config) {
      comm::say(fmt::format("rank {} on {}: {}", rank, comm::host_name(), text));
    }
  } else {
    comm::say(text);
  }
  return static_cast<int>(fault);
}

// An error of this rank alone, in the middle of the run.
[[noreturn]] void end_run(int rank, Fault fault, const char* what) {
  std::string text;
  try {
    text =
        fmt::format("rank {} on {}: {}: {}", rank, comm::host_name(), comm::current_phase(), what);
  } catch (const std::bad_alloc&) {
    comm::abort_run(fault, what);
  }
  comm::abort_run(fault, text);
}

// tpinfer launch ...: another program, which has no MPI in it.
[[noreturn]] void become_launcher(char** argv) {
  if (comm::environment_size() > 1) {
    fail(Fault::usage, "tpinfer launch starts MPI jobs itself; run it without mpirun or srun");
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "tpinfer-launch").string();
  execv(program.c_str(), argv + 1);
  fail(Fault::config, fmt::format("{}: {}", program, std::strerror(errno)));
}

int run(const launch::Options& options, comm::Session& session, launch::EarlyCheck& check) {
  const std::size_t resident_bytes = launch::peak_resident_bytes();
  comm::Communicator& world = session.world();
  launch::watch_signals();
  launch::Story story(world.rank() == 0 && !options.quiet);
  for (const std::string& line : launch::launch_warnings(world.size())) story.line(line);
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
  comm::together(world, "read options",
                 [&] { launch::check_instances(options.plan, world.size()); });
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
  const int status = options.check               ? launch::run_check(context)
                     : !options.requests.empty() ? launch::run_requests(context)
                                                 : launch::run_inputs(context);
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
  const int rank = session.world().rank();
  try {
    return run(options, session, check);
  } catch (const comm::AgreedError& error) {
    if (rank == 0) comm::say(error.what());
    return static_cast<int>(error.fault());
  } catch (const Error& error) {
    end_run(rank, error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    end_run(rank, Fault::memory, "out of memory");
  } catch (const std::exception& error) {
    end_run(rank, Fault::internal, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 1 && std::string_view(argv[1]) == "launch") become_launcher(argv);
  } catch (const Error& error) {
    return refuse(error.fault(), error.what());
  }
  launch::end_on_signals();
  signal(SIGPIPE, SIG_IGN);  // | head -1 is no failure
  signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of writing
  try {
    comm::add_cleanup(shard::remove_temporaries);
    const launch::CommandLine command = launch::parse_command_line(argc, argv);
    if (command.text) {
      if (comm::environment_rank() == 0) launch::print(*command.text);
      return 0;
    }
    if (command.options.doctor) return launch::run_doctor(command.options);
    if (command.options.requests == "-") launch::widen_stdin_pipe();
    return run_session(command.options);
  } catch (const Error& error) {
    return refuse(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return refuse(Fault::memory, "out of memory");
  } catch (const std::exception& error) {
    return refuse(Fault::internal, error.what());
  }
}
