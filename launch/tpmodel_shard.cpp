#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/overwrite.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/file/checkpoint_writer.hpp"
#include "shard/file/file_names.hpp"
#include "shard/plan/checkpoint_cuts.hpp"

namespace tpinfer::launch {
namespace {

volatile sig_atomic_t stopped = 0;

// A signal ends the copy between two slabs, so that nothing half-written is left.
void watch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::signal(signal, [](int number) { stopped = number; });
  }
}

void stop_if_asked() {
  if (stopped) fail(Fault::temporary, fmt::format("stopped by signal {}", int{stopped}));
}

// "a/m.h5" -> "m", "a/m{rank}.h5" -> "m"; a folder gives its master's name, or its own.
std::string stem_of(const shard::ModelTable& table) {
  std::string path = table.path;
  if (shard::is_folder(path) && table.files[0].rank < 0) path = table.files[0].path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::string name = path.substr(path.rfind('/') + 1);
  const std::size_t mark = name.find(shard::kRankMark);
  if (mark != std::string::npos) name.erase(mark, std::string(shard::kRankMark).size());
  if (const std::size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0) {
    name.resize(dot);
  }
  const bool usable = !name.empty() && name.find_first_not_of('.') != std::string::npos;
  return usable ? name : "model";
}

shard::CheckpointCuts cuts_for(const runtime::Model& model, const PlanArguments& arguments) {
  std::map<std::string, Shape> shapes;
  for (const shard::TensorInfo& weight : model.table().weights) shapes[weight.name] = weight.shape;
  std::vector<shard::PlannedGraph> planned;
  for (const shard::GraphInfo& info : model.table().graphs) {
    if (!arguments.graph.empty() && info.name != model.graph(arguments.graph).name) continue;
    const shard::Graph lowered = model.graph(info.name);
    shard::BoundGraph graph = bind_all(model, lowered, symbols_of(arguments), 1);
    shard::Plan plan =
        shard::make_plan(graph, arguments.ranks, options_of(arguments, lowered, graph));
    planned.push_back({std::move(graph), std::move(plan)});
  }
  return shard::cuts_of(shapes, planned, arguments.ranks);
}

}  // namespace

int shard_command(const PlanArguments& arguments, const std::string& folder) {
  const auto model = open_checked(arguments.model);
  const shard::CheckpointCuts cuts = cuts_for(*model, arguments);
  watch_signals();
  const std::string stem = stem_of(model->table());
  shard::write_checkpoint(model->file(), folder, stem, cuts, stop_if_asked);
  fmt::print("{}: {} for {}, master {}.h5, {} read\n", folder,
             counted(cuts.weights.size(), "weight"),
             counted(static_cast<std::size_t>(cuts.ranks), "rank"), stem,
             bytes_text(model->file().bytes_read()));
  return 0;
}

int merge_command(const std::string& path, const std::string& output) {
  const auto model = open_checked(path);
  files_of(model->table()).refuse("--output", output);
  watch_signals();
  shard::write_one_file(model->file(), output, stop_if_asked);
  fmt::print("{}: {}, {} read\n", output, counted(model->table().weights.size(), "weight"),
             bytes_text(model->file().bytes_read()));
  return 0;
}

}  // namespace tpinfer::launch
