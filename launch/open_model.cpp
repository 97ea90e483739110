#include "launch/open_model.hpp"

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "comm/environment.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/text.hpp"
#include "shard/file/preflight.hpp"
#include "shard/file/text_file.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostHashed = std::size_t{64} << 20;  // bytes of a weight

// The texts of {"methods": {...}, "pipelines": {...}}, before those that are there.
void add_pipelines(const std::string& path, shard::CallInfo& calls) {
  const std::string where = "--pipelines " + path;
  const std::string text = shard::read_text_file("--pipelines", path, shard::kMaxJsonBytes);
  shard::check_json(where, text);
  const Json json = Json::parse(text);
  if (!json.is_object()) fail(Fault::data, where + ": must be a JSON object");
  for (const auto& [section, entries] : json.items()) {
    const bool methods = section == "methods";
    if ((!methods && section != "pipelines") || !entries.is_object()) {
      fail(Fault::data, fmt::format("{}: wanted {{\"methods\": {{...}}, \"pipelines\": {{...}}}}, "
                                    "not \"{}\"",
                                    where, shard::printable(section)));
    }
    std::vector<shard::GraphInfo>& texts = methods ? calls.methods : calls.pipelines;
    std::vector<shard::GraphInfo> given;
    for (const auto& [name, entry] : entries.items()) {
      shard::check_name(where, name);
      given.push_back({name, entry.dump()});
    }
    for (shard::GraphInfo& old : texts) {
      if (!entries.contains(old.name)) given.push_back(std::move(old));
    }
    texts = std::move(given);
  }
}

// The hash of a weight's stored bytes: its file's word, or computed when that is cheap.
std::optional<std::string> hash_of(shard::ModelFile& file, const shard::TensorInfo& weight) {
  const auto known = file.table().manifest.find(weight.name);
  if (known != file.table().manifest.end()) return known->second;
  const std::size_t bytes = byte_count(weight.shape, weight.stored);
  if (bytes > kMostHashed) return std::nullopt;
  std::vector<std::byte> elements(bytes);
  if (bytes > 0) file.read_stored(weight.path, whole_box(weight.shape), elements.data());
  return sha256_hex(elements.data(), elements.size());
}

const shard::TensorInfo* weight_like(const shard::ModelTable& table,
                                     const shard::TensorInfo& wanted) {
  for (const shard::TensorInfo& weight : table.weights) {
    if (weight.name != wanted.name) continue;
    return weight.stored == wanted.stored && weight.shape == wanted.shape ? &weight : nullptr;
  }
  return nullptr;
}

struct Shared {
  std::vector<std::pair<std::size_t, std::size_t>> files;  // the later one, the first
  std::vector<std::string> names;
  std::size_t bytes = 0;
  std::vector<std::string> unknown;  // too large to be compared
};

Shared equal_weights(runtime::Model& model) {
  Shared shared;
  for (std::size_t part = 1; part < model.file_count(); ++part) {
    for (const shard::TensorInfo& weight : model.table(part).weights) {
      for (std::size_t of = 0; of < part; ++of) {
        const shard::TensorInfo* first = weight_like(model.table(of), weight);
        if (first == nullptr) continue;
        const auto mine = hash_of(model.file(part), weight), its = hash_of(model.file(of), *first);
        if (!mine || !its) shared.unknown.push_back(weight.name);
        if (!mine || !its || *mine != *its) continue;
        shared.files.emplace_back(part, of);
        shared.names.push_back(weight.name);
        shared.bytes += byte_count(weight.shape, weight.stored);
        break;
      }
    }
  }
  return shared;
}

// Collective: rank 0 compares, all do what it found.
void share_equal_weights(comm::Communicator& world, runtime::Model& model, Story& story) {
  if (model.file_count() < 2) return;
  std::string text;
  comm::together(world, "compare weights", [&] {
    if (world.rank() != 0) return;
    const Shared shared = equal_weights(model);
    Json json = Json::array();
    for (std::size_t i = 0; i < shared.names.size(); ++i) {
      json.push_back({shared.files[i].first, shared.names[i], shared.files[i].second});
    }
    text = json.dump();
    story.line(fmt::format("{} of {} files: {} ({} bytes) equal in two, held once",
                           counted(model.graph_count(), "graph"), model.file_count(),
                           counted(shared.names.size(), "weight"), shared.bytes));
    for (const std::string& name : shared.unknown) {
      story.line(
          fmt::format("note: weight {} may be equal in two files, which is not known without "
                      "a manifest of hashes; it is held twice",
                      name));
    }
  });
  for (const Json& entry : Json::parse(comm::broadcast_text(world, text, 0))) {
    model.share_weight(entry[0], entry[1], entry[2]);
  }
}

}  // namespace

EarlyCheck::EarlyCheck(const Options& options)
    : models_(options.models), pipelines_(options.pipelines) {
  if (comm::environment_rank() != 0) return;
  try {
    auto found = std::make_shared<std::vector<shard::ModelTable>>(check());
    outcome_ = [found] { return *found; };
  } catch (...) {
    outcome_ = [error = std::current_exception()]() -> std::vector<shard::ModelTable> {
      std::rethrow_exception(error);
    };
  }
}

std::vector<shard::ModelTable> EarlyCheck::check() const {
  std::vector<shard::ModelTable> tables;
  for (const std::string& path : models_) {
    tables.push_back(shard::preflight(path, shard::helper_beside_program()));
  }
  if (!pipelines_.empty()) add_pipelines(pipelines_, tables.front().calls);
  return tables;
}

std::vector<shard::ModelTable> EarlyCheck::tables() { return outcome_ ? outcome_() : check(); }

std::unique_ptr<runtime::Model> open_model(comm::Communicator& world, const Options& options,
                                           EarlyCheck& check, Story& story) {
  std::string text;
  comm::together(world, "open model", [&] {
    if (world.rank() != 0) return;
    for (const shard::ModelTable& table : check.tables()) text += shard::to_json(table) + "\n";
  });
  text = comm::broadcast_text(world, text, 0);
  std::unique_ptr<runtime::Model> model;
  comm::together(world, "open model", [&] {
    std::vector<shard::ModelTable> tables;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      tables.push_back(shard::parse_model_table(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    model = std::make_unique<runtime::Model>(std::move(tables));
    const std::int64_t version = model->version();
    if (options.model_version > 0 && options.model_version != version) {
      fail(Fault::data, fmt::format("--model-version {}: the model {} has {}",
                                    options.model_version, options.model,
                                    version > 0 ? fmt::format("version {}", version)
                                                : "no version: no root attribute version"));
    }
  });
  share_equal_weights(world, *model, story);
  return model;
}

}  // namespace tpinfer::launch
