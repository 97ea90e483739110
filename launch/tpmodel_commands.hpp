// The commands of tpmodel: work on model files without MPI. Each prints its product on stdout and
// returns the exit code; errors are thrown.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/model.hpp"
#include "shard/plan/planner.hpp"

namespace tpinfer::launch {

// Checks the file in the preflight helper, then opens it.
std::unique_ptr<runtime::Model> open_checked(const std::string& path);

// The same for planning: weights that were never written are a note on stderr, not an error.
std::unique_ptr<runtime::Model> open_for_planning(const std::string& path);

// Every graph's shapes with all symbols bound to `value`: proves that a model can run.
shard::BoundGraph bind_all(const runtime::Model& model, const shard::Graph& graph,
                           const shard::Symbols& given, std::int64_t value);

struct PlanRequest {
  std::string model, graph, strategies, mesh, rank_weights, plan = "cut";
  std::string write_strategy;  // a file; "" = none
  std::string costs, memory;   // --costs FILE, --memory 8GiB; "" = none
  int ranks = 1;
  bool uneven = false, json = false;
  std::vector<std::string> symbols;  // "batch=64"
};

// What the request says of the symbols, and of the plan of a graph. Throw Fault::usage.
shard::Symbols symbols_of(const PlanRequest& request);
shard::PlanOptions options_of(const PlanRequest& request, const shard::Graph& graph,
                              const shard::BoundGraph& bound);

int import_command(const std::string& source, const std::string& config, const std::string& output);
int inspect_command(const std::string& path, bool json);
int plan_command(const PlanRequest& request);
int verify_command(const std::string& path);
// `folder` becomes a sharded checkpoint for request.ranks ranks; the model may be one already.
int shard_command(const PlanRequest& request, const std::string& folder);
// `output` becomes a one-file model.
int merge_command(const std::string& path, const std::string& output);
// 0 when nothing differs, else 1.
int diff_command(const std::string& a, const std::string& b);

}  // namespace tpinfer::launch
