#include "launch/job/facts.hpp"

#include <fmt/format.h>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "runtime/program.hpp"
#include "shard/file/prove_weights.hpp"

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

// The files, wherever they stand: size and a sample of their bytes.
std::string files_hash(const shard::ModelTable& table) {
  std::string text;
  for (const shard::FileInfo& file : table.files) {
    text += fmt::format("{} {} {} {}\n", file.rank, file.missing, file.identity.bytes,
                        file.identity.sample_hash);
  }
  return sha256_hex(text.data(), text.size());
}

std::string times_of(const shard::ModelTable& table) {
  std::string text;
  for (const shard::FileInfo& file : table.files) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", file.identity.mtime_ns);
  }
  return text.size() <= 64 ? text : sha256_hex(text.data(), text.size());
}

void prove(const shard::ModelTable& table) {
  for (const shard::TensorInfo& weight : table.weights) {
    if (table.manifest.contains(weight.name)) continue;
    fail(Fault::data,
         fmt::format("{} was changed or copied since, and has no hashes to prove its weights by; "
                     "copy it with cp -p",
                     table.path));
  }
  shard::ModelFile file(table);
  shard::prove_weights(file);
}

}  // namespace

Facts facts_of(const Context& context, const shard::Signature& signature,
               const std::string& inputs) {
  const shard::ModelTable& table = context.model.table();
  return {
      {{"release", fmt::format("{}, arithmetic {}", TPINFER_VERSION, runtime::kArithmeticVersion)},
       {"model", content_hash(table)},
       {"model files (sizes, samples)", files_hash(table)},
       {"graph", signature.name},
       {"inputs", inputs}},
      times_of(table),
      [&table] { prove(table); }};
}

}  // namespace tpinfer::launch
