#include "shard/import/keras_config.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail_config(const std::string& what) {
  fail(Fault::data, "Keras configuration: " + what);
}

const Json& member(const Json& json, const std::string& key, const std::string& where) {
  if (!json.is_object() || !json.contains(key)) {
    fail_config(fmt::format("{}: the key \"{}\" is missing", where, key));
  }
  return json[key];
}

std::string text_member(const Json& json, const std::string& key, const std::string& where) {
  const Json& value = member(json, key, where);
  if (!value.is_string()) fail_config(fmt::format("{}: \"{}\" must be a string", where, key));
  return value;
}

// ["dense_1", 0, 0] or ["dense_1", 0, 0, {}]: layer, call, output.
KerasTensor tensor_of(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() < 3 || !json[0].is_string() || !json[1].is_number_integer() ||
      json[2] != 0) {
    fail_config(fmt::format("{}: {} is not [layer, call, 0]", where, printable(json.dump())));
  }
  return {json[0], json[1].get<int>()};
}

bool is_tensor(const Json& json) { return json.is_array() && !json.empty() && json[0].is_string(); }

// A list of tensors, or one alone.
std::vector<KerasTensor> tensors_of(const Json& json, const std::string& where) {
  if (is_tensor(json)) return {tensor_of(json, where)};
  if (!json.is_array()) fail_config(where + ": must be a list of tensors");
  std::vector<KerasTensor> tensors;
  for (const Json& item : json) tensors.push_back(tensor_of(item, where));
  return tensors;
}

// Keras 3: positional arguments are tensors or lists of tensors, each an object with its history.
void collect_arguments(const Json& json, const std::string& where, std::vector<KerasTensor>& out) {
  if (json.is_array()) {
    for (const Json& item : json) collect_arguments(item, where, out);
  } else if (json.is_object() && json.value("class_name", "") == "__keras_tensor__") {
    out.push_back(tensor_of(member(member(json, "config", where), "keras_history", where), where));
  } else {
    fail_config(where + ": an argument that is not a tensor");
  }
}

std::vector<KerasTensor> call_of(const Json& json, const std::string& where) {
  if (!json.is_object()) return tensors_of(json, where);
  std::vector<KerasTensor> inputs;
  collect_arguments(member(json, "args", where), where, inputs);
  return inputs;
}

KerasLayer layer_of(const Json& json, std::size_t index) {
  const std::string where = fmt::format("layer {}", index);
  KerasLayer layer;
  layer.class_name = text_member(json, "class_name", where);
  const Json& config = member(json, "config", where);
  if (!config.is_object()) fail_config(where + ": \"config\" must be an object");
  layer.name =
      json.contains("name") ? text_member(json, "name", where) : text_member(config, "name", where);
  check_name(where, layer.name);
  layer.config = config.dump();
  return layer;
}

// The InputLayer that an older Sequential network does without.
KerasLayer input_before(const KerasLayer& first, const Json& network) {
  Json config = Json::parse(first.config);
  Json shape;
  for (const char* key : {"batch_input_shape", "batch_shape"}) {
    if (config.contains(key)) shape = config[key];
  }
  if (shape.is_null() && network.is_object()) shape = network.value("build_input_shape", Json());
  KerasLayer input;
  input.name = first.name + "_input";
  input.class_name = "InputLayer";
  input.config = Json{{"batch_shape", shape}}.dump();
  return input;
}

KerasNetwork parse_sequential(const Json& config) {
  const Json& list = config.is_array() ? config : member(config, "layers", "the network");
  KerasNetwork network;
  for (const Json& item : list) {
    KerasLayer layer = layer_of(item, network.layers.size());
    if (network.layers.empty() && layer.class_name != "InputLayer") {
      network.layers.push_back(input_before(layer, config));
    }
    network.layers.push_back(std::move(layer));
  }
  if (network.layers.size() < 2) fail_config("the network has no layers");
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    std::vector<KerasTensor> inputs;
    if (i > 0) inputs.push_back({network.layers[i - 1].name, 0});
    network.layers[i].calls.push_back(inputs);
  }
  network.outputs.push_back({network.layers.back().name, 0});
  return network;
}

KerasNetwork parse_functional(const Json& config) {
  KerasNetwork network;
  for (const Json& item : member(config, "layers", "the network")) {
    KerasLayer layer = layer_of(item, network.layers.size());
    const std::string where = "layer " + layer.name;
    for (const Json& call : item.value("inbound_nodes", Json::array())) {
      // Some versions write a single input without the list around the calls.
      if (call.is_string()) fail_config(where + ": \"inbound_nodes\" must be a list of calls");
      layer.calls.push_back(call_of(call, where));
    }
    if (layer.calls.empty() && layer.class_name == "InputLayer") layer.calls.push_back({});
    network.layers.push_back(std::move(layer));
  }
  network.outputs = tensors_of(member(config, "output_layers", "the network"), "output_layers");
  if (network.outputs.empty()) fail_config("the network has no outputs");
  return network;
}

// The value of a layer's field; null when it is absent.
Json field(const KerasLayer& layer, const std::string& key) {
  return Json::parse(layer.config).value(key, Json());
}

[[noreturn]] void fail_field(const KerasLayer& layer, const std::string& key, const char* wanted) {
  fail(Fault::data,
       fmt::format("layer {} ({}): \"{}\" must be {}", layer.name, layer.class_name, key, wanted));
}

}  // namespace

KerasNetwork parse_keras_config(const std::string& json) {
  check_json("Keras configuration", json);
  try {
    const Json root = Json::parse(json);
    const std::string kind = text_member(root, "class_name", "the network");
    const Json& config = member(root, "config", "the network");
    if (kind == "Sequential") return parse_sequential(config);
    if (kind == "Model" || kind == "Functional") return parse_functional(config);
    fail_config(fmt::format("{} is neither Sequential nor functional", printable(kind)));
  } catch (const Json::exception& error) {  // a value of another type than Keras writes
    fail_config(error.what());
  }
}

std::optional<double> number_in(const KerasLayer& layer, const std::string& key) {
  Json value = field(layer, key);
  if (value.is_object()) value = value.value("value", Json());  // a NumPy scalar
  if (value.is_null()) return std::nullopt;
  if (!value.is_number()) fail_field(layer, key, "a number");
  return value.get<double>();
}

bool flag_in(const KerasLayer& layer, const std::string& key, bool fallback) {
  const Json value = field(layer, key);
  if (value.is_null()) return fallback;
  if (!value.is_boolean()) fail_field(layer, key, "true or false");
  return value.get<bool>();
}

std::string text_in(const KerasLayer& layer, const std::string& key, const std::string& fallback) {
  Json value = field(layer, key);
  if (value.is_object() && value.contains("config")) {
    const Json config = value["config"];
    value = config.is_object() ? config.value("name", Json(value["class_name"])) : config;
  }
  if (value.is_null()) return fallback;
  if (!value.is_string()) fail_field(layer, key, "a name");
  return value.get<std::string>();
}

std::optional<std::vector<std::int64_t>> integers_in(const KerasLayer& layer,
                                                     const std::string& key) {
  const Json value = field(layer, key);
  if (value.is_null()) return std::nullopt;
  std::vector<std::int64_t> integers;
  for (const Json& item : value.is_array() ? value : Json::array({value})) {
    if (!item.is_null() && !item.is_number_integer()) fail_field(layer, key, "a list of integers");
    integers.push_back(item.is_null() ? -1 : item.get<std::int64_t>());
  }
  return integers;
}

}  // namespace tpinfer::shard
