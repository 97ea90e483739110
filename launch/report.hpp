// What happened, as JSON (--report): for scripts that run tpinfer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/base/shape.hpp"
#include "launch/options.hpp"
#include "launch/rank_times.hpp"
#include "launch/requests/counts.hpp"

namespace tpinfer::launch {

struct OutputReport {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::string sha256;
};

// Messages of --compat-log, whether they are printed or not.
struct InstanceReport {
  std::vector<int> ranks;
  int build_finish = 0, predict = 0, reply = 0, exit = 0;
};

struct Report {
  int nodes = 1;
  int threads = 1;
  std::int64_t rows = 0;       // of the batch; 0 when the graph has none
  double run_seconds = 0;      // of one repetition, the fastest
  double predict_seconds = 0;  // of all repetitions, on the slowest rank
  std::vector<InstanceReport> instances;
  std::vector<OutputReport> outputs;
  std::string accuracy;  // the line that was printed, if any
  std::vector<RankTimes> ranks;
  std::optional<RequestCounts> requests = {};  // with --requests
};

class Runner;

// Writes {"schema": 1, ...} to options.report, whole or not at all (docs/command-line.md).
// Throws Fault::cannot_create or Fault::io.
void write_report(const Options& options, const Runner& runner, const Report& report);

}  // namespace tpinfer::launch
