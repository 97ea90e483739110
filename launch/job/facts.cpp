#include "launch/job/facts.hpp"

#include <fmt/format.h>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "runtime/program.hpp"
#include "shard/file/prove_weights.hpp"

namespace tpinfer::launch {
namespace {

// Graphs, and every weight's name, type, shape and hash where the model's manifest has it.
std::string content_of(const shard::ModelTable& table) {
  std::string text;
  for (const std::vector<shard::GraphInfo>* infos :
       {&table.graphs, &table.calls.methods, &table.calls.pipelines}) {
    for (const shard::GraphInfo& info : *infos) text += info.name + "\n" + info.json + "\n";
  }
  for (const shard::TensorInfo& weight : table.weights) {
    const auto hash = table.manifest.find(weight.name);
    text += fmt::format("{} {} {} {}\n", weight.name, name_of(weight.stored), to_text(weight.shape),
                        hash == table.manifest.end() ? "" : hash->second);
  }
  return text;
}

// The files, wherever they stand: size and a sample of their bytes.
std::string files_of(const shard::ModelTable& table) {
  std::string text;
  for (const shard::FileInfo& file : table.files) {
    text += fmt::format("{} {} {} {}\n", file.rank, file.missing, file.identity.bytes,
                        file.identity.sample_hash);
  }
  return text;
}

std::string times_of(const shard::ModelTable& table) {
  std::string text;
  for (const shard::FileInfo& file : table.files)
    text += fmt::format("{} ", file.identity.mtime_ns);
  return text;
}

// Of all model files, in order.
std::string joined(const runtime::Model& model, std::string (*text_of)(const shard::ModelTable&)) {
  std::string text;
  for (std::size_t i = 0; i < model.file_count(); ++i) text += text_of(model.table(i));
  return text;
}

std::string hash_of(const std::string& text) { return sha256_hex(text.data(), text.size()); }

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
  const runtime::Model& model = context.model;
  std::string times = joined(model, times_of);
  times.pop_back();
  return {
      {{"release", fmt::format("{}, arithmetic {}", TPINFER_VERSION, runtime::kArithmeticVersion)},
       {"model", hash_of(joined(model, content_of))},
       {"model files (sizes, samples)", hash_of(joined(model, files_of))},
       {"graph",
        signature.kind == shard::Signature::Kind::graph ? signature.name : signature.label()},
       {"inputs", inputs}},
      times.size() <= 64 ? times : hash_of(times),
      [&model] {
        for (std::size_t i = 0; i < model.file_count(); ++i) prove(model.table(i));
      }};
}

}  // namespace tpinfer::launch
