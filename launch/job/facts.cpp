#include "launch/job/facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/sha256.hpp"
#include "runtime/program.hpp"

namespace tpinfer::launch {
namespace {

// Graphs, and every weight's name, type, shape and hash where the model's manifest has it.
std::string content_hash(const shard::ModelTable& table) {
  std::string text;
  for (const shard::GraphInfo& graph : table.graphs) text += graph.name + "\n" + graph.json + "\n";
  for (const shard::TensorInfo& weight : table.weights) {
    const auto hash = table.manifest.find(weight.name);
    text += fmt::format("{} {} {} {}\n", weight.name, name_of(weight.stored), to_text(weight.shape),
                        hash == table.manifest.end() ? "" : hash->second);
  }
  return sha256_hex(text.data(), text.size());
}

// The files, wherever they stand: size, time of the last change, and a sample of their bytes.
std::string files_hash(const shard::ModelTable& table) {
  std::string text;
  for (const shard::FileInfo& file : table.files) {
    text += fmt::format("{} {} {} {} {}\n", file.rank, file.missing, file.identity.bytes,
                        file.identity.mtime_ns, file.identity.sample_hash);
  }
  return sha256_hex(text.data(), text.size());
}

}  // namespace

std::vector<std::pair<std::string, std::string>> facts_of(const Context& context,
                                                          const shard::Graph& graph,
                                                          const std::string& inputs) {
  const shard::ModelTable& table = context.model.table();
  return {
      {"release", fmt::format("{}, arithmetic {}", TPINFER_VERSION, runtime::kArithmeticVersion)},
      {"model", content_hash(table)},
      {"model files (size, time, sample)", files_hash(table)},
      {"graph", graph.name},
      {"inputs", inputs}};
}

}  // namespace tpinfer::launch
