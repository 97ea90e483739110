#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "kernels/base/text.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/file/prove_weights.hpp"

namespace tpinfer::launch {

int verify_command(const std::string& path) {
  const auto model = open_checked(path);
  const shard::ModelTable& table = model->table();
  for (const shard::GraphInfo& info : table.graphs) {
    bind_all(*model, model->graph(info.name), {}, 1);
  }
  for (const std::string& name : model->method_names()) {
    bind_all(*model, model->method(name).graph, {}, 1);
  }
  const shard::Proof proof = shard::prove_weights(model->file());
  std::string text =
      fmt::format("verify: OK {}, {}, {}", counted(table.graphs.size(), "graph"),
                  counted(table.weights.size(), "weight"),
                  table.manifest.empty()
                      ? "no manifest"
                      : fmt::format("{} of {} hashes proven", proof.hashes, table.manifest.size()));
  if (table.files.size() > 1 || table.ranks > 0) {
    text += fmt::format("; {} in {}, {} of {} hashes proven", counted(proof.slices, "slice"),
                        counted(model->file().files_opened(), "file"), proof.slice_hashes,
                        proof.slices);
  }
  fmt::print("{}\n", text);
  for (const std::string& name : model->unused_weights()) {
    fmt::print("note: weight {} is used by no graph\n", name);
  }
  for (const std::string& note : table.notes) fmt::print("note: {}\n", note);
  if (const std::string missing = shard::missing_text(table); !missing.empty()) {
    fmt::print("note: not needed{}\n", missing);
  }
  return 0;
}

}  // namespace tpinfer::launch
