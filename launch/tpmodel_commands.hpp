// The commands of tpmodel: work on model files without MPI. Each prints its product on stdout and
// returns the exit code; errors are thrown.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch/plan_request.hpp"
#include "runtime/model.hpp"

namespace tpinfer::launch {

// Checks the file in the preflight helper, then opens it.
std::unique_ptr<runtime::Model> open_checked(const std::string& path);

// The same for planning: weights that were never written are a note on stderr, not an error.
std::unique_ptr<runtime::Model> open_for_planning(const std::string& path);

// Every graph's shapes with all symbols bound to `value`: proves that a model can run.
shard::BoundGraph bind_all(const runtime::Model& model, const shard::Graph& graph,
                           const shard::Symbols& given, std::int64_t value);

struct PlanArguments {
  std::string model, graph, method;
  std::string write_strategy;  // a file; "" = none
  int ranks = 1;
  bool json = false;
  std::vector<std::string> symbols;  // "batch=64"
  PlanRequest cut;
};

// What the arguments say of the symbols, and of the plan of a graph; notes go to stderr. Throw
// Fault::usage.
shard::Symbols symbols_of(const PlanArguments& arguments);
shard::PlanOptions options_of(const PlanArguments& arguments, const shard::Graph& graph,
                              const shard::BoundGraph& bound);

int import_command(const std::string& source, const std::string& config, const std::string& output);
int inspect_command(const std::string& path, bool json);
int plan_command(const PlanArguments& arguments);
int verify_command(const std::string& path);
// `folder` becomes a sharded checkpoint for arguments.ranks ranks; the model may be one already.
int shard_command(const PlanArguments& arguments, const std::string& folder);
// `output` becomes a one-file model.
int merge_command(const std::string& path, const std::string& output);
// 0 when nothing differs, else 1.
int diff_command(const std::string& a, const std::string& b);

}  // namespace tpinfer::launch
