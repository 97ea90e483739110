#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "launch/tpmodel_commands.hpp"
#include "shard/file/prove_weights.hpp"

namespace tpinfer::launch {
namespace {

std::string counted(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

int verify_command(const std::string& path) {
  const auto model = open_checked(path);
  const shard::ModelTable& table = model->table();
  for (const shard::GraphInfo& info : table.graphs) {
    bind_all(*model, model->graph(info.name), {}, 1);
  }
  const shard::Proof proof = shard::prove_weights(model->file());
  std::string text =
      fmt::format("verify: OK {}, {} weights, {}", counted(table.graphs.size(), "graph", "graphs"),
                  table.weights.size(),
                  table.manifest.empty()
                      ? "no manifest"
                      : fmt::format("{} of {} hashes proven", proof.hashes, table.manifest.size()));
  if (table.files.size() > 1 || table.ranks > 0) {
    text += fmt::format(
        "; {} in {}, {} of {} hashes proven", counted(proof.slices, "slice", "slices"),
        counted(model->file().files_opened(), "file", "files"), proof.slice_hashes, proof.slices);
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
