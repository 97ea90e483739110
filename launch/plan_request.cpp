#include "launch/plan_request.hpp"

#include <fmt/format.h>

#include <utility>

#include "kernels/base/error.hpp"

#include "runtime/plan_bytes.hpp"
#include "shard/file/given_strategies.hpp"
#include "shard/file/text_file.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/memory.hpp"

namespace tpinfer::launch {

PlanFiles read_plan_files(const PlanRequest& request) {
  PlanFiles files;
  files.strategies = shard::read_strategy_files(request.strategies);
  if (!request.costs.empty()) {
    files.costs = shard::read_text_file("--costs", request.costs, shard::kMaxCostBytes);
  }
  return files;
}

shard::MeshOptions mesh_options(const PlanRequest& request) {
  shard::MeshOptions mesh = shard::parse_mesh(request.mesh);
  if (request.instances > 0) {
    if (mesh.dp > 1 && mesh.dp != request.instances) {
      fail(Fault::usage,
           fmt::format("--instances {} but --mesh {}: an instance is a part of dp; say "
                       "one of the two",
                       request.instances, request.mesh));
    }
    mesh.dp = request.instances;
  }
  mesh.rank_weights = shard::parse_rank_weights(request.rank_weights);
  return mesh;
}

shard::PlanOptions plan_options(const PlanRequest& request, const PlanFiles& files,
                                const shard::Graph& graph, const shard::BoundGraph& bound,
                                std::vector<std::string>& notes) {
  shard::PlanOptions options;
  shard::GivenStrategies given = shard::given_strategies(request.strategies, files.strategies);
  for (std::string& note : shard::check_layouts(given, bound)) notes.push_back(std::move(note));
  options.strategies = std::move(given.entries);
  options.uneven = request.uneven;
  options.fastest = request.plan == "fastest";
  options.batch = request.plan == "batch";
  options.mesh = mesh_options(request);
  options.batch_inputs = shard::batch_inputs(graph, bound);
  if (!request.costs.empty()) {
    options.costs = shard::parse_costs("--costs " + request.costs, files.costs);
  }
  if (!request.memory.empty()) {
    options.memory = {shard::parse_bytes("--memory", request.memory), runtime::largest_need};
  }
  return options;
}

}  // namespace tpinfer::launch
