// tpinfer-launch: instances of tpinfer as MPI jobs of their own (tpinfer launch). No MPI in here.
#include <exception>

#include "comm/environment.hpp"
#include "comm/last_words.hpp"
#include "kernels/base/error.hpp"
#include "launch/instances/descriptor.hpp"
#include "launch/instances/launch_options.hpp"
#include "launch/instances/supervisor.hpp"

int main(int argc, char** argv) {
  using namespace tpinfer;
  try {
    if (comm::environment_size() > 1) {
      fail(Fault::usage, "tpinfer launch starts MPI jobs itself; run it without mpirun or srun");
    }
    const launch::LaunchCommand command = launch::parse_launch(argc, argv);
    if (command.text) {
      launch::write_all(STDOUT_FILENO, *command.text);
      return 0;
    }
    return launch::Supervisor(command.options).run();
  } catch (const Error& error) {
    comm::say(error.what());
    return static_cast<int>(error.fault());
  } catch (const std::exception& error) {
    comm::say(error.what());
    return static_cast<int>(Fault::internal);
  }
}
