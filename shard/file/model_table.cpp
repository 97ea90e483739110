#include "shard/file/model_table.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

// A path of the file system is bytes, not always UTF-8.
std::vector<int> bytes_of(const std::string& path) {
  std::vector<int> bytes;
  for (const char c : path) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

std::string path_of(const std::vector<int>& bytes) {
  std::string path;
  for (const int byte : bytes) path.push_back(static_cast<char>(byte));
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

Json json_of(const std::vector<ExampleTensor>& tensors) {
  Json list = Json::array();
  for (const ExampleTensor& tensor : tensors) {
    Json json = json_of(tensor.data);
    json["rtol"] = tensor.rtol;
    json["atol"] = tensor.atol;
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<ExampleTensor> tensors_of(const Json& json) {
  std::vector<ExampleTensor> tensors;
  for (const Json& item : json) {
    tensors.push_back(
        {dataset_of(item), item.at("rtol").get<double>(), item.at("atol").get<double>()});
  }
  return tensors;
}

ModelTable table_of(const Json& json) {
  ModelTable table;
  table.path = path_of(json.at("path").get<std::vector<int>>());
  table.file_bytes = json.at("file_bytes");
  table.mtime_ns = json.at("mtime_ns");
  table.sample_hash = json.at("sample_hash");
  for (const Json& weight : json.at("weights")) table.weights.push_back(dataset_of(weight));
  for (const Json& graph : json.at("graphs")) {
    table.graphs.push_back(
        {graph.at("name").get<std::string>(), graph.at("json").get<std::string>()});
  }
  for (const Json& item : json.at("examples")) {
    ExampleInfo example;
    example.index = item.at("index");
    example.graph = item.at("graph");
    example.inputs = tensors_of(item.at("inputs"));
    example.outputs = tensors_of(item.at("outputs"));
    table.examples.push_back(std::move(example));
  }
  table.manifest = json.at("manifest").get<std::map<std::string, std::string>>();
  table.unused = json.at("unused").get<std::vector<std::string>>();
  return table;
}

}  // namespace

std::string to_json(const ModelTable& table) {
  Json json{{"path", bytes_of(table.path)}, {"file_bytes", table.file_bytes},
            {"mtime_ns", table.mtime_ns},   {"sample_hash", table.sample_hash},
            {"manifest", table.manifest},   {"unused", table.unused},
            {"weights", Json::array()},     {"graphs", Json::array()},
            {"examples", Json::array()}};
  for (const DatasetInfo& weight : table.weights) json["weights"].push_back(json_of(weight));
  for (const GraphInfo& graph : table.graphs) {
    json["graphs"].push_back({{"name", graph.name}, {"json", graph.json}});
  }
  for (const ExampleInfo& example : table.examples) {
    json["examples"].push_back({{"index", example.index},
                                {"graph", example.graph},
                                {"inputs", json_of(example.inputs)},
                                {"outputs", json_of(example.outputs)}});
  }
  return json.dump();
}

ModelTable parse_model_table(const std::string& json) {
  try {
    return table_of(Json::parse(json));
  } catch (const std::exception& error) {
    fail(Fault::internal,
         fmt::format("the table of the model file cannot be read: {}", error.what()));
  }
}

}  // namespace tpinfer::shard
