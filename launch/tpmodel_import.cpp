#include <fmt/format.h>

#include <cstdio>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/import/importer.hpp"

namespace tpinfer::launch {

int import_command(const std::string& source, const std::string& config,
                   const std::string& output) {
  const shard::ImportedModel imported = shard::import_model(source, {config});
  for (const std::string& note : imported.notes) fmt::print(stderr, "tpmodel: note: {}\n", note);
  shard::write_model(output, imported.contents);
  // What was written must be a model that runs: read it back and infer every shape.
  const auto model = open_checked(output);
  for (const shard::GraphInfo& info : model->table().graphs) {
    const shard::Graph graph = model->graph(info.name);
    const shard::BoundGraph bound = bind_all(*model, graph, {}, 1);
    fmt::print("{}: graph {}: {} operators, {} weights, {}\n", output, info.name,
               bound.nodes.size(), model->table().weights.size(),
               bytes_text(model->table().files[0].identity.bytes));
  }
  return 0;
}

}  // namespace tpinfer::launch
