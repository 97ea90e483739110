// The options that say how to cut a graph: the same for tpinfer and for tpmodel.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::launch {

struct PlanRequest {
  std::string strategies;    // --strategy
  bool uneven = false;       // --uneven
  std::string plan = "cut";  // --plan: cut | fastest | batch
  int instances = 0;  // --instances: parts of the batch with ranks of their own; 0 = not said
  std::string mesh;   // --mesh: dp=2,pp=2,tp=2
  std::string rank_weights;  // --rank-weights: 3,1
  std::string costs;         // --costs: a cost table; "" = the built-in one
  std::string memory;        // --memory: per rank, 8GiB; "" = no limit
};

// The contents of the files that a request names: read once, by rank 0, as files may differ between
// hosts.
struct PlanFiles {
  std::map<std::string, std::string> strategies;  // by name
  std::string costs;
};

// Throws Fault::no_input when one cannot be read.
PlanFiles read_plan_files(const PlanRequest& request);

// --mesh and --rank-weights alone. Throws Fault::usage.
shard::MeshOptions mesh_options(const PlanRequest& request);

// What the planner shall do with `graph`, bound as `bound`. Adds lines to `notes` that the user
// should see. Throws Fault::usage.
shard::PlanOptions plan_options(const PlanRequest& request, const PlanFiles& files,
                                const shard::Graph& graph, const shard::BoundGraph& bound,
                                std::vector<std::string>& notes);

}  // namespace tpinfer::launch
