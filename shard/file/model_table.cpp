#include "shard/file/model_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxConstant = 1024;  // elements
constexpr std::size_t kNamesShown = 8;

// A path of the file system is bytes, not always UTF-8.
std::vector<int> bytes_of(const std::string& path) {
  std::vector<int> bytes;
  for (const char c : path) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

std::string path_of(const Json& json) {
  std::string path;
  for (const int byte : json.get<std::vector<int>>()) path.push_back(static_cast<char>(byte));
  return path;
}

Json json_of(const DatasetInfo& info) {
  return {{"path", info.path},
          {"name", info.name},
          {"shape", info.shape},
          {"dtype", std::string(name_of(info.stored))},
          {"contiguous", info.contiguous},
          {"offset", info.offset},
          {"stored_bytes", info.stored_bytes}};
}

DatasetInfo dataset_of(const Json& json) {
  DatasetInfo info;
  info.path = json.at("path");
  info.name = json.at("name");
  info.stored = parse_dtype(json.at("dtype").get<std::string>()).value();
  info.shape = json.at("shape").get<Shape>();
  info.contiguous = json.at("contiguous");
  info.offset = json.at("offset");
  info.stored_bytes = json.at("stored_bytes");
  return info;
}

Json json_of(const FileInfo& file) {
  return {{"path", bytes_of(file.path)},
          {"rank", file.rank},
          {"missing", file.missing},
          {"bytes", file.identity.bytes},
          {"mtime_ns", file.identity.mtime_ns},
          {"sample_hash", file.identity.sample_hash}};
}

FileInfo file_of(const Json& json) {
  return {path_of(json.at("path")),
          json.at("rank"),
          json.at("missing"),
          {json.at("bytes"), json.at("mtime_ns"), json.at("sample_hash")}};
}

Json json_of(const TensorInfo& tensor) {
  Json json{{"name", tensor.name},
            {"path", tensor.path},
            {"dtype", std::string(name_of(tensor.stored))},
            {"shape", tensor.shape},
            {"sources", Json::array()}};
  for (const Source& source : tensor.sources) {
    json["sources"].push_back({{"file", source.file},
                               {"data", json_of(source.data)},
                               {"begin", source.box.offset},
                               {"extent", source.box.extent},
                               {"at", source.at},
                               {"hash", source.hash}});
  }
  return json;
}

TensorInfo tensor_of_json(const Json& json) {
  TensorInfo tensor;
  tensor.name = json.at("name");
  tensor.path = json.at("path");
  tensor.stored = parse_dtype(json.at("dtype").get<std::string>()).value();
  tensor.shape = json.at("shape").get<Shape>();
  for (const Json& source : json.at("sources")) {
    tensor.sources.push_back({source.at("file"),
                              dataset_of(source.at("data")),
                              {source.at("begin").get<Shape>(), source.at("extent").get<Shape>()},
                              source.at("at").get<Shape>(),
                              source.at("hash")});
  }
  return tensor;
}

Json json_of(const std::vector<ExampleTensor>& tensors) {
  Json json = Json::array();
  for (const ExampleTensor& tensor : tensors) {
    json.push_back({{"data", json_of(tensor.data)}, {"rtol", tensor.rtol}, {"atol", tensor.atol}});
  }
  return json;
}

std::vector<ExampleTensor> tensors_of(const Json& json) {
  std::vector<ExampleTensor> tensors;
  for (const Json& item : json) {
    tensors.push_back({tensor_of_json(item.at("data")), item.at("rtol").get<double>(),
                       item.at("atol").get<double>()});
  }
  return tensors;
}

Json json_of(const std::vector<GraphInfo>& texts) {
  Json json = Json::array();
  for (const GraphInfo& text : texts) json.push_back({{"name", text.name}, {"json", text.json}});
  return json;
}

std::vector<GraphInfo> texts_of(const Json& json) {
  std::vector<GraphInfo> texts;
  for (const Json& item : json) {
    texts.push_back({item.at("name").get<std::string>(), item.at("json").get<std::string>()});
  }
  return texts;
}

ModelTable table_of(const Json& json) {
  ModelTable table;
  table.path = path_of(json.at("path"));
  for (const Json& file : json.at("files")) table.files.push_back(file_of(file));
  table.ranks = json.at("ranks");
  table.checkpoint = json.at("checkpoint");
  for (const Json& weight : json.at("weights")) table.weights.push_back(tensor_of_json(weight));
  table.graphs = texts_of(json.at("graphs"));
  table.calls = {texts_of(json.at("methods")), texts_of(json.at("pipelines")),
                 json.at("version").get<std::int64_t>()};
  for (const Json& item : json.at("examples")) {
    ExampleInfo example;
    example.index = item.at("index");
    example.graph = item.at("graph");
    example.method = item.at("method");
    example.inputs = tensors_of(item.at("inputs"));
    example.outputs = tensors_of(item.at("outputs"));
    table.examples.push_back(std::move(example));
  }
  table.manifest = json.at("manifest").get<std::map<std::string, std::string>>();
  table.constants = json.at("constants").get<std::map<std::string, std::vector<std::int64_t>>>();
  table.notes = json.at("notes").get<std::vector<std::string>>();
  table.unused = json.at("unused").get<std::vector<std::string>>();
  return table;
}

}  // namespace

TensorInfo whole_tensor(const DatasetInfo& data, int file) {
  return {data.name,
          data.path,
          data.stored,
          data.shape,
          {{file, data, whole_box(data.shape), Shape(data.shape.size(), 0), ""}}};
}

bool may_decide_shapes(const TensorInfo& weight) {
  return (weight.stored == DType::i64 || weight.stored == DType::i32) &&
         element_count(weight.shape) <= kMaxConstant;
}

std::string missing_text(const ModelTable& table, const std::vector<int>& files) {
  std::string names;
  std::size_t count = 0;
  for (const int index : files) {
    const FileInfo& file = table.files[static_cast<std::size_t>(index)];
    if (!file.missing || count++ >= kNamesShown) continue;
    names += (names.empty() ? "" : ", ") +
             (file.path.empty() ? fmt::format("the file of rank {}", file.rank)
              : file.rank < 0   ? printable(file.path)
                                : fmt::format("{} (rank {})", printable(file.path), file.rank));
  }
  if (count == 0) return "";
  if (count > kNamesShown) names += fmt::format(" and {} more", count - kNamesShown);
  const FileInfo& first = table.files.front();
  const bool master = table.files.size() > 1 && first.rank < 0 && !first.missing;
  const auto all = static_cast<std::ptrdiff_t>(table.files.size()) - (master ? 1 : 0);
  const auto missing = std::count_if(table.files.begin(), table.files.end(),
                                     [](const FileInfo& file) { return file.missing; });
  return fmt::format("; {} of {} files are there, missing: {}", all - missing, all, names);
}

std::string missing_text(const ModelTable& table) {
  std::vector<int> files;
  for (std::size_t i = 0; i < table.files.size(); ++i) files.push_back(static_cast<int>(i));
  return missing_text(table, files);
}

std::string to_json(const ModelTable& table) {
  Json json{{"path", bytes_of(table.path)},
            {"files", Json::array()},
            {"ranks", table.ranks},
            {"checkpoint", table.checkpoint},
            {"weights", Json::array()},
            {"graphs", json_of(table.graphs)},
            {"methods", json_of(table.calls.methods)},
            {"pipelines", json_of(table.calls.pipelines)},
            {"version", table.calls.version},
            {"examples", Json::array()},
            {"manifest", table.manifest},
            {"constants", table.constants},
            {"notes", table.notes},
            {"unused", table.unused}};
  for (const FileInfo& file : table.files) json["files"].push_back(json_of(file));
  for (const TensorInfo& weight : table.weights) json["weights"].push_back(json_of(weight));
  for (const ExampleInfo& example : table.examples) {
    json["examples"].push_back({{"index", example.index},
                                {"graph", example.graph},
                                {"method", example.method},
                                {"inputs", json_of(example.inputs)},
                                {"outputs", json_of(example.outputs)}});
  }
  return json.dump();
}

ModelTable parse_model_table(const std::string& json) {
  try {
    return table_of(Json::parse(json));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    fail(Fault::internal,
         fmt::format("the table of the model file cannot be read: {}", error.what()));
  }
}

}  // namespace tpinfer::shard
