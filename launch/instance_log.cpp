#include "launch/instance_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "kernels/base/view.hpp"
#include "launch/story.hpp"
#include "shard/plan/mesh_options.hpp"

namespace tpinfer::launch {
namespace {

// Whether input i of the plan is divided among the instances.
bool divided(const GraphRunner& runner, const std::string& input) {
  const std::vector<std::string>& all = runner.plan_options().batch_inputs;
  return std::find(all.begin(), all.end(), input) != all.end();
}

std::int64_t rows_of_graph(const GraphRunner& runner) {
  for (const std::string& input : runner.plan_options().batch_inputs) {
    const Shape& shape = runner.bound_graph().tensor(input).shape;
    if (!shape.empty()) return shape[0];
  }
  return 0;
}

}  // namespace

void check_instances(const PlanRequest& request, int ranks) {
  if (request.instances == 0) return;
  if (ranks % request.instances != 0) {
    fail(Fault::usage, fmt::format("--instances {}: {} {} no multiple of {}", request.instances,
                                   ranks, ranks == 1 ? "rank is" : "ranks are", request.instances));
  }
  shard::tensor_ranks(mesh_options(request), ranks);
}

void check_instance_rows(const Options& options, const Runner& runner, std::int64_t rows) {
  const std::int64_t count = options.plan.instances;
  if (count <= 1 || options.plan.uneven) return;
  const std::int64_t all = rows > 0 ? rows : rows_of_graph(*runner.graphs().front());
  for (const std::int64_t batch : {all, options.batch_size > 0 ? options.batch_size : all}) {
    if (batch % count == 0) continue;
    fail(Fault::usage, fmt::format("--instances {}: a batch of {} is not divisible by {}; with "
                                   "--uneven some get a row more",
                                   count, batch, count));
  }
}

std::string instances_text(const Options& options, const Runner& runner, std::int64_t rows) {
  const GraphRunner& graph = *runner.graphs().front();
  const int count = options.plan.instances;
  const int ranks = graph.planned().mesh.size() / count;
  std::string text =
      fmt::format("{} of {}; each gets", counted(static_cast<std::size_t>(count), "instance"),
                  counted(static_cast<std::size_t>(ranks), "rank"));
  std::string separator = " ";
  for (const std::string& input : graph.bound_graph().inputs) {
    const shard::Tensor& tensor = graph.bound_graph().tensor(input);
    Shape shape = tensor.shape;
    if (divided(graph, input)) {
      const std::int64_t all = rows > 0 ? rows : shape[0];
      shape[0] = (all + count - 1) / count;
    }
    text += fmt::format("{}{} {} {} bytes", separator, input, to_text(shape),
                        byte_count(shape, tensor.dtype));
    separator = ", ";
  }
  return text;
}

InstanceLog::InstanceLog(const Options& options, comm::Communicator& world)
    : options_(options), world_(world), instances_(std::max(1, options.plan.instances)) {}

std::vector<int> InstanceLog::ranks_of(int instance) const {
  const shard::MeshOptions mesh = mesh_options(options_.plan);
  std::vector<int> ranks;
  for (int r = 0; r < world_.size(); ++r) {
    if (instances_ == 1 || shard::data_group(mesh, world_.size(), r) == instance) {
      ranks.push_back(r);
    }
  }
  return ranks;
}

void InstanceLog::build(const std::function<void()>& work) {
  try {
    work();
  } catch (const comm::AgreedError& error) {
    if (!options_.compat_log) throw;
    int failed = 0;
    for (int i = 0; i < instances_; ++i) {
      const std::vector<int> ranks = ranks_of(i);
      if (std::find(ranks.begin(), ranks.end(), error.rank()) != ranks.end()) failed = i;
    }
    throw comm::AgreedError(
        error.fault(),
        fmt::format("Failed to build model {}, exception occur: {}", failed, error.what()),
        error.rank());
  }
  ++builds_;
  if (!options_.compat_log || world_.rank() != 0) return;
  for (int i = 0; i < instances_; ++i) print(fmt::format("Success to build model {}\n", i));
}

void InstanceLog::predict(const std::function<void()>& work) {
  ++predictions_;
  try {
    work();
  } catch (const comm::AgreedError& error) {
    if (!options_.compat_log) throw;
    throw comm::AgreedError(
        error.fault(), fmt::format("Failed to call predict, exception occur: {}", error.what()),
        error.rank());
  }
  ++replies_;
}

void InstanceLog::total(double seconds) const {
  if (options_.compat_log && world_.rank() == 0)
    print(fmt::format("Total predict time =  {}\n", seconds));
}

void InstanceLog::finish() {
  ++exits_;
  if (!options_.compat_log || world_.rank() != 0) return;
  for (int i = 0; i < instances_; ++i) print("Receive exit message  and start to exit\n");
  print("=========== success ===========\n");
}

}  // namespace tpinfer::launch
