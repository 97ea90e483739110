// From plans to the slices of a sharded checkpoint.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/layout/tensor_cuts.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

struct PlannedGraph {
  BoundGraph graph;
  Plan plan;
};

// Every rank gets the boxes that it loads under any of the plans, none inside another. What no plan
// loads is cut along dimension 0; up to 1024 elements of it go to every rank. All plans are for
// `ranks` ranks; `shapes`: of all weights by name.
CheckpointCuts cuts_of(const std::map<std::string, Shape>& shapes,
                       const std::vector<PlannedGraph>& planned, int ranks);

}  // namespace tpinfer::shard
