#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/plan/graph.hpp"
#include "shard/plan/graph_order.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRank = 8;

const Json& object_at(const std::string& where, const Json& json,
                      std::initializer_list<std::string_view> known_keys) {
  if (!json.is_object()) fail(Fault::data, fmt::format("{}: must be a JSON object", where));
  for (const auto& [key, value] : json.items()) {
    bool known = false;
    for (const std::string_view candidate : known_keys) known |= key == candidate;
    if (!known) {
      fail(Fault::data, fmt::format("{}: unknown key \"{}\"; known: {}", where, printable(key),
                                    fmt::join(known_keys, ", ")));
    }
  }
  return json;
}

// The array json[key]; an absent one is empty unless it is `required`.
Json array_at(const std::string& where, const Json& json, const char* key, bool required) {
  const auto found = json.find(key);
  if (found == json.end()) {
    if (required) fail(Fault::data, fmt::format("{}: the key \"{}\" is missing", where, key));
    return Json::array();
  }
  if (!found->is_array()) fail(Fault::data, fmt::format("{}: \"{}\" must be a list", where, key));
  return *found;
}

std::string text_at(const std::string& where, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) {
    fail(Fault::data, fmt::format("{}: the key \"{}\" is missing", where, key));
  }
  if (!found->is_string())
    fail(Fault::data, fmt::format("{}: \"{}\" must be a string", where, key));
  check_name(fmt::format("{}: \"{}\"", where, key), found->get_ref<const std::string&>());
  return *found;
}

std::vector<std::string> names_at(const std::string& where, const Json& json, const char* key,
                                  bool empty_allowed) {
  std::vector<std::string> names;
  for (const Json& item : array_at(where, json, key, true)) {
    if (!item.is_string()) {
      fail(Fault::data, fmt::format("{}: \"{}\" must be a list of names", where, key));
    }
    names.push_back(item);
    if (names.back().empty() && empty_allowed) continue;
    check_name(fmt::format("{}: \"{}\"", where, key), names.back());
  }
  return names;
}

std::int64_t integer_of(const std::string& where, const Json& json) {
  const bool too_large = json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX;
  if (!json.is_number_integer() || too_large) {
    fail(Fault::data, fmt::format("{}: {} is not a 64-bit integer", where, printable(json.dump())));
  }
  return json.get<std::int64_t>();
}

Extent parse_extent(const std::string& where, const Json& json) {
  Extent extent;
  if (json.is_string()) {
    extent.symbol = json;
    check_name(where, extent.symbol);
    return extent;
  }
  extent.value = integer_of(where, json);
  if (extent.value < 0) {
    fail(Fault::data, fmt::format("{}: the extent {} is negative; for an extent known at launch "
                                  "write a symbol such as \"batch\"",
                                  where, extent.value));
  }
  return extent;
}

ValueSpec parse_value(const std::string& where, const Json& json) {
  object_at(where, json, {"name", "dtype", "shape"});
  ValueSpec spec;
  spec.name = text_at(where, json, "name");
  const std::string here = fmt::format("{} {}", where, spec.name);
  const std::string dtype = text_at(here, json, "dtype");
  const auto parsed = parse_dtype(dtype);
  if (!parsed) fail(Fault::data, fmt::format("{}: unknown dtype \"{}\"", here, printable(dtype)));
  spec.dtype = *parsed;
  for (const Json& extent : array_at(here, json, "shape", true)) {
    spec.shape.push_back(parse_extent(here, extent));
  }
  if (spec.shape.size() > kMaxRank) {
    fail(Fault::data, fmt::format("{}: {} dimensions, more than the limit of {}", here,
                                  spec.shape.size(), kMaxRank));
  }
  return spec;
}

Attribute parse_list_attribute(const std::string& where, const Json& json) {
  bool integers = true;
  for (const Json& item : json) {
    if (!item.is_number()) fail(Fault::data, where + ": must be a list of numbers");
    integers &= item.is_number_integer();
  }
  if (!integers) return json.get<std::vector<double>>();
  std::vector<std::int64_t> values;
  for (const Json& item : json) values.push_back(integer_of(where, item));
  return values;
}

Attribute parse_attribute(const std::string& where, const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_boolean()) return std::int64_t{json.get<bool>() ? 1 : 0};  // as ONNX writes flags
  if (json.is_number_integer()) return integer_of(where, json);
  if (json.is_number()) return json.get<double>();
  if (json.is_array()) return parse_list_attribute(where, json);
  fail(Fault::data, where + ": must be a number, a string or a list of numbers");
}

Strategy parse_strategy(const std::string& where, const Json& json) {
  Strategy strategy;
  for (const Json& input : array_at(where, json, "strategy", true)) {
    if (!input.is_array()) {
      fail(Fault::data, where + ": \"strategy\" must be a list of lists, one per input");
    }
    strategy.emplace_back();
    for (const Json& parts : input) {
      strategy.back().push_back(integer_of(where + ": \"strategy\"", parts));
      if (strategy.back().back() < 1) {
        fail(Fault::data, fmt::format("{}: \"strategy\": {} parts; a dimension has at least 1",
                                      where, strategy.back().back()));
      }
    }
  }
  return strategy;
}

Node parse_node(std::size_t index, const Json& json) {
  std::string where = fmt::format("node {}", index);
  object_at(where, json, {"name", "op", "inputs", "outputs", "attributes", "strategy"});
  Node node;
  node.outputs = names_at(where, json, "outputs", false);
  if (node.outputs.empty()) fail(Fault::data, where + ": \"outputs\" is empty");
  node.name = json.contains("name") ? text_at(where, json, "name") : node.outputs[0];
  where = "node " + node.name;
  node.op = text_at(where, json, "op");
  node.inputs = names_at(where, json, "inputs", true);
  if (const auto attributes = json.find("attributes"); attributes != json.end()) {
    if (!attributes->is_object()) fail(Fault::data, where + ": \"attributes\" must be an object");
    for (const auto& [key, value] : attributes->items()) {
      check_name(where, key);
      node.attributes[key] = parse_attribute(fmt::format("{}: attribute {}", where, key), value);
    }
  }
  if (json.contains("strategy")) node.strategy = parse_strategy(where, json);
  return node;
}

void insert_new(std::set<std::string>& names, const std::string& where, const std::string& name) {
  if (!names.insert(name).second) {
    fail(Fault::data, fmt::format("{}: the name {} is already taken", where, name));
  }
}

Graph parse_checked(const Json& json, const std::vector<std::string>& known_weights) {
  object_at("the graph", json, {"inputs", "outputs", "states", "nodes"});
  Graph graph;
  std::set<std::string> given(known_weights.begin(), known_weights.end());
  for (const Json& input : array_at("the graph", json, "inputs", true)) {
    graph.inputs.push_back(parse_value("input", input));
    insert_new(given, "input", graph.inputs.back().name);
  }
  for (const Json& state : array_at("the graph", json, "states", false)) {
    graph.states.push_back(parse_value("state", state));
    insert_new(given, "state", graph.states.back().name);
  }
  std::set<std::string> made, node_names, outputs;
  for (const Json& item : array_at("the graph", json, "nodes", true)) {
    graph.nodes.push_back(parse_node(graph.nodes.size(), item));
    insert_new(node_names, "node", graph.nodes.back().name);
    made.insert(graph.nodes.back().outputs.begin(), graph.nodes.back().outputs.end());
  }
  sort_nodes(graph, given);
  graph.outputs = names_at("the graph", json, "outputs", false);
  if (graph.outputs.empty()) fail(Fault::data, "the graph: \"outputs\" is empty");
  for (const std::string& output : graph.outputs) {
    insert_new(outputs, "output", output);
    if (!made.contains(output)) {
      fail(Fault::data, fmt::format("output {}: no node makes it", output));
    }
  }
  return graph;
}

}  // namespace

ValueSpec parse_value_spec(const std::string& where, const std::string& json) {
  return parse_value(where, Json::parse(json));
}

Graph parse_graph(const std::string& name, const std::string& json,
                  const std::vector<std::string>& known_weights, const std::string& kind) {
  const std::string where = kind + " " + printable(name);
  check_json(where, json);
  try {
    Graph graph = parse_checked(Json::parse(json), known_weights);
    graph.name = name;
    return graph;
  } catch (const Error& error) {
    fail_in(where, error);
  }
}

}  // namespace tpinfer::shard
