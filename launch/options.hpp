// The command line of tpinfer: one table of options, each with its environment form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/plan_request.hpp"

namespace tpinfer::launch {

struct Options {
  std::string model;                // the first of `models`
  std::vector<std::string> models;  // several: their graphs are numbered through
  std::string graph;                // name or index; "" = the first
  std::string method;               // a method's or a pipeline's name; "" = a graph
  std::string pipelines;            // a file with methods and pipelines, beside the model's own
  std::int64_t model_version = 0;   // that the model must have; 0 = any
  std::vector<std::string> inputs;  // NAME=SOURCE or SOURCE
  std::string output;               // .npy .npz .h5 .json, may hold {rank}
  std::string labels;
  std::int64_t batch_size = 0;  // 0 = all rows at once
  int repeat = 1;
  std::int64_t print_head = 10;  // 0 = print no outputs
  std::string print_rank = "0";  // "0", "all", a number

  std::string requests;               // JSON lines, - = stdin; "" = one run
  int batch = 1;                      // requests that may share a run
  int max_queue = 64;                 // requests read ahead
  std::string max_request = "64MiB";  // the longest line

  bool check = false;
  bool doctor = false;  // look at the launch and stop
  bool check_finite = false;

  PlanRequest plan;
  int micro_batches = 0;  // 0 = four per pipeline stage
  std::string calibrate;  // measure a cost table and write it here
  bool explain = false;
  bool dry_run = false;
  bool fast = false;
  std::string kernels = "eigen";  // eigen | blas | reference
  int threads = 0;                // 0 = cores of the affinity mask / ranks on the node

  bool resume = false;     // keep progress beside `output`, go on from an earlier run's
  double save_every = 5;   // seconds between two saves of it
  std::string stop_after;  // "" = never, a duration, auto

  double timeout_seconds = 60;
  bool quiet = false;
  std::string progress = "auto";  // auto | bar | lines | none
  std::string report;
  bool private_weights = false;
  bool compat_log = false;  // the messages of parallel workers, instead of outputs
};

// What a command line asks for: a run, or text to print (help, version) and stop.
struct CommandLine {
  Options options;
  std::optional<std::string> text;
};

// Reads arguments, TPINFER_* variables and --config (in this order of precedence). Throws
// Fault::usage with one line. Needs no MPI. With `from_environment`, variables count only for the
// options ("--threads") of which it says so, and there is no file.
CommandLine parse_command_line(int argc, const char* const* argv,
                               bool (*from_environment)(std::string_view option) = nullptr);

// "tpinfer 0.1.0 (Open MPI 4.1.4, HDF5 1.10.8, OpenBLAS 0.3.21, AVX2)".
std::string version_text();

}  // namespace tpinfer::launch
