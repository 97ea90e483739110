// The command line of tpinfer launch.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tpinfer::launch {

struct LaunchOptions {
  int instances = 1;
  int ranks = 1;                                    // of each
  std::string cores;                                // "0-3,7"; "" = all that we may use
  int restarts = 0;                                 // of each, after failures
  std::string log_dir;                              // "" = our own stdout and stderr
  std::string mpirun = "mpirun -q --bind-to none";  // "" = no launcher: one rank
  std::string program;                              // "" = tpinfer beside this program
  bool quiet = false;
  bool start_together = false;
  std::string requests;  // "" = none, "-" = stdin
  std::string output;    // of answers; "" = stdout
  int in_flight = 4;
  std::vector<std::string> arguments;  // of each instance; {instance} stands for its number
};

struct LaunchCommand {
  LaunchOptions options;
  std::optional<std::string> text;  // --help: to print, and then stop
};

// Throws Fault::usage with one line.
LaunchCommand parse_launch(int argc, const char* const* argv);

// The words of a command, as a shell takes simple ones: blanks separate, '…' and "…" keep them.
// Throws Fault::usage when a quote is not closed.
std::vector<std::string> words_of(const std::string& text);

// What an instance runs: the launcher, the program, its arguments.
//   {"mpirun", "-q", "--bind-to", "none", "-n", "2", "/usr/bin/tpinfer", "--model", "m.h5"}
std::vector<std::string> command_of(const LaunchOptions& options, int instance, std::size_t cores);

}  // namespace tpinfer::launch
