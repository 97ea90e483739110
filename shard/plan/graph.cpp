#include "shard/plan/graph.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const ValueSpec& spec) {
  Json shape = Json::array();
  for (const Extent& extent : spec.shape) {
    shape.push_back(extent.symbol.empty() ? Json(extent.value) : Json(extent.symbol));
  }
  return {{"name", spec.name}, {"dtype", std::string(name_of(spec.dtype))}, {"shape", shape}};
}

Json json_of(const Node& node) {
  Json json{
      {"name", node.name}, {"op", node.op}, {"inputs", node.inputs}, {"outputs", node.outputs}};
  for (const auto& [key, attribute] : node.attributes) {
    std::visit([&](const auto& value) { json["attributes"][key] = value; }, attribute);
  }
  if (node.strategy) json["strategy"] = *node.strategy;
  return json;
}

[[noreturn]] void fail_type(const Node& node, const std::string& key, const char* wanted) {
  fail(Fault::data,
       fmt::format("node {} ({}): attribute {} must be {}", node.name, node.op, key, wanted));
}

const Attribute* find_attribute(const Node& node, const std::string& key) {
  const auto found = node.attributes.find(key);
  return found == node.attributes.end() ? nullptr : &found->second;
}

}  // namespace

std::string to_json(const Graph& graph) {
  Json json{{"inputs", Json::array()}, {"outputs", graph.outputs}};
  for (const ValueSpec& input : graph.inputs) json["inputs"].push_back(json_of(input));
  for (const ValueSpec& state : graph.states) json["states"].push_back(json_of(state));
  json["nodes"] = Json::array();
  for (const Node& node : graph.nodes) json["nodes"].push_back(json_of(node));
  return json.dump();
}

std::int64_t int_attribute(const Node& node, const std::string& key, std::int64_t fallback) {
  const Attribute* found = find_attribute(node, key);
  if (found == nullptr) return fallback;
  if (const auto* value = std::get_if<std::int64_t>(found)) return *value;
  fail_type(node, key, "an integer");
}

double float_attribute(const Node& node, const std::string& key, double fallback) {
  const Attribute* found = find_attribute(node, key);
  if (found == nullptr) return fallback;
  if (const auto* value = std::get_if<double>(found)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(found)) return static_cast<double>(*value);
  fail_type(node, key, "a number");
}

std::string string_attribute(const Node& node, const std::string& key,
                             const std::string& fallback) {
  const Attribute* found = find_attribute(node, key);
  if (found == nullptr) return fallback;
  if (const auto* value = std::get_if<std::string>(found)) return *value;
  fail_type(node, key, "a string");
}

std::optional<std::vector<std::int64_t>> ints_attribute(const Node& node, const std::string& key) {
  const Attribute* found = find_attribute(node, key);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<std::vector<std::int64_t>>(found)) return *value;
  fail_type(node, key, "a list of integers");
}

}  // namespace tpinfer::shard
