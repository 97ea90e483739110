#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/base/text.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

std::string shape_text(const std::vector<shard::Extent>& shape) {
  std::string text;
  for (const shard::Extent& extent : shape) {
    text += (text.empty() ? "" : ",") +
            (extent.symbol.empty() ? fmt::format("{}", extent.value) : extent.symbol);
  }
  return fmt::format("({}{})", text, shape.size() == 1 ? "," : "");
}

// Rows of cells, each column as wide as its widest cell.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += c + 1 == row.size() ? " " + row[c] : fmt::format(" {:<{}}", row[c], widths[c]);
    }
    fmt::print("{}\n", line);
  }
}

void print_graph(const runtime::Model& model, std::size_t index) {
  const shard::Graph graph = model.graph(fmt::format("{}", index));
  const shard::BoundGraph bound = bind_all(model, graph, {}, 1);
  fmt::print("graph {} ({})\n", index, graph.name);
  for (const shard::ValueSpec& input : graph.inputs) {
    fmt::print("  input {} {} {}\n", input.name, name_of(input.dtype), shape_text(input.shape));
  }
  std::vector<std::vector<std::string>> rows;
  for (const shard::BoundNode& node : bound.nodes) {
    auto list = [&](const std::vector<std::string>& names) {
      std::string text;
      for (const std::string& name : names) {
        if (!text.empty()) text += ", ";
        text += name.empty() ? "-" : fmt::format("{}{}", name, to_text(bound.tensor(name).shape));
      }
      return text;
    };
    rows.push_back(
        {node.node.op, node.node.name, list(node.node.inputs) + " -> " + list(node.node.outputs)});
  }
  print_table(rows);
  for (const std::string& output : graph.outputs) {
    const shard::Tensor& tensor = bound.tensor(output);
    fmt::print("  output {} {} {} (symbols as 1)\n", output, name_of(tensor.dtype),
               to_text(tensor.shape));
  }
}

// How a weight is stored: "contiguous", "8 slices".
std::string storage_text(const shard::TensorInfo& weight) {
  if (weight.sources.size() != 1) return fmt::format("{} slices", weight.sources.size());
  return weight.sources[0].data.contiguous ? "contiguous" : "chunked";
}

const shard::FileInfo& file_of(const runtime::Model& model, const shard::Source& source) {
  return model.table().files[static_cast<std::size_t>(source.file)];
}

// The files of a sharded checkpoint, and which part of which weight each holds.
void print_files(const runtime::Model& model) {
  const shard::ModelTable& table = model.table();
  if (table.files.size() == 1 && table.ranks == 0) return;
  fmt::print("files: {}, checkpoint {}\n", table.files.size(),
             table.checkpoint.empty() ? "without a name" : table.checkpoint);
  for (const shard::FileInfo& file : table.files) {
    fmt::print("  {}: {}{}\n", file.rank < 0 ? "master" : fmt::format("rank {}", file.rank),
               file.path.empty() ? "its file" : shard::printable(file.path),
               file.missing ? " is missing" : ", " + bytes_text(file.identity.bytes));
    std::vector<std::vector<std::string>> rows;
    for (const shard::TensorInfo& weight : table.weights) {
      for (const shard::Source& source : weight.sources) {
        if (&file_of(model, source) != &file) continue;
        rows.push_back({"  " + weight.name, to_text(source.box), source.data.path});
      }
    }
    print_table(rows);
  }
}

std::size_t total_bytes(const runtime::Model& model) {
  std::size_t bytes = 0;
  for (const shard::FileInfo& file : model.table().files) bytes += file.identity.bytes;
  return bytes;
}

// "method fun1: x float32 (128,96) -> y": what may be called beside graphs.
void print_calls(const runtime::Model& model) {
  auto print = [](const shard::Signature& signature) {
    std::string inputs;
    for (const shard::ValueSpec& input : signature.inputs) {
      inputs += fmt::format("{}{} {} {}", inputs.empty() ? "" : ", ", input.name,
                            name_of(input.dtype), shape_text(input.shape));
    }
    fmt::print("{}: {} -> {}\n", signature.label(), inputs, fmt::join(signature.outputs, ", "));
  };
  for (const std::string& name : model.method_names()) print(model.method(name).signature);
  for (const std::string& name : model.pipeline_names()) print(model.pipeline(name)->signature());
  if (model.version() > 0) fmt::print("version {}\n", model.version());
}

void print_weights(const runtime::Model& model) {
  std::size_t bytes = 0;
  std::vector<std::vector<std::string>> rows;
  for (const shard::TensorInfo& info : model.table().weights) {
    const std::size_t own = byte_count(info.shape, info.stored);
    bytes += own;
    rows.push_back({info.name, std::string(name_of(info.stored)), to_text(info.shape),
                    bytes_text(own), storage_text(info)});
  }
  fmt::print("weights: {}, {}\n", rows.size(), bytes_text(bytes));
  print_table(rows);
  for (const std::string& name : model.unused_weights()) {
    fmt::print("  note: weight {} is used by no graph\n", name);
  }
  for (const std::string& path : model.table().unused) {
    fmt::print("  note: {} is not read\n", path);
  }
}

using Json = nlohmann::ordered_json;

Json files_json(const runtime::Model& model) {
  Json files = Json::array();
  for (const shard::FileInfo& file : model.table().files) {
    files.push_back({{"path", shard::printable(file.path)},
                     {"rank", file.rank},
                     {"missing", file.missing},
                     {"bytes", file.identity.bytes}});
  }
  return files;
}

Json weights_json(const runtime::Model& model) {
  Json weights = Json::array();
  for (const shard::TensorInfo& info : model.table().weights) {
    Json slices = Json::array();
    for (const shard::Source& source : info.sources) {
      slices.push_back({{"file", source.file},
                        {"dataset", source.data.path},
                        {"offset", source.box.offset},
                        {"shape", source.box.extent}});
    }
    weights.push_back({{"name", info.name},
                       {"dtype", std::string(name_of(info.stored))},
                       {"shape", info.shape},
                       {"contiguous", info.sources.size() == 1 && info.sources[0].data.contiguous},
                       {"slices", slices}});
  }
  return weights;
}

void print_json(const runtime::Model& model) {
  Json json{{"schema", 1},
            {"file_bytes", total_bytes(model)},
            {"ranks", model.table().ranks},
            {"checkpoint", model.table().checkpoint},
            {"files", files_json(model)}};
  json["graphs"] = Json::array();
  for (const shard::GraphInfo& graph : model.table().graphs) {
    json["graphs"].push_back({{"name", graph.name}, {"graph", Json::parse(graph.json)}});
  }
  for (const char* section : {"methods", "pipelines"}) {
    const shard::CallInfo& calls = model.table().calls;
    json[section] = Json::array();
    for (const shard::GraphInfo& info :
         section == std::string("methods") ? calls.methods : calls.pipelines) {
      json[section].push_back({{"name", info.name}, {"json", Json::parse(info.json)}});
    }
  }
  json["model_version"] = model.version();
  json["weights"] = weights_json(model);
  json["examples"] = model.table().examples.size();
  json["unused_weights"] = model.unused_weights();
  fmt::print("{}\n", json.dump(2));
}

}  // namespace

int inspect_command(const std::string& path, bool json) {
  const auto model = open_checked(path);
  if (json) {
    print_json(*model);
    return 0;
  }
  fmt::print("{}: {}, {} known answer{}, {}\n", path, bytes_text(total_bytes(*model)),
             model->table().examples.size(), model->table().examples.size() == 1 ? "" : "s",
             model->table().manifest.empty() ? "no manifest" : "with a manifest of hashes");
  for (std::size_t g = 0; g < model->table().graphs.size(); ++g) print_graph(*model, g);
  print_calls(*model);
  print_weights(*model);
  print_files(*model);
  return 0;
}

}  // namespace tpinfer::launch
