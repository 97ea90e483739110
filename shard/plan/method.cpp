#include "shard/plan/method.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::map<std::string, std::string>;

constexpr const char* kKeys[] = {"inputs",       "outputs",       "preprocess", "graph",
                                 "graph_inputs", "graph_outputs", "postprocess"};

Json parse(const std::string& where, const std::string& text) {
  check_json(where, text);
  Json json = Json::parse(text);
  if (!json.is_object()) fail(Fault::data, where + ": must be a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) {
      fail(Fault::data, fmt::format("{}: unknown key \"{}\"; known: {}", where, printable(key),
                                    fmt::join(kKeys, ", ")));
    }
  }
  for (const char* key : {"inputs", "outputs"}) {
    if (!json.contains(key)) {
      fail(Fault::data, fmt::format("{}: the key \"{}\" is missing", where, key));
    }
  }
  for (const char* key : {"inputs", "preprocess", "postprocess"}) {
    if (json.contains(key) && !json[key].is_array()) {
      fail(Fault::data, fmt::format("{}: \"{}\" must be a list", where, key));
    }
  }
  return json;
}

Names names_at(const std::string& where, const Json& json, const char* key) {
  Names names;
  const auto found = json.find(key);
  if (found == json.end()) return names;
  if (!found->is_object()) {
    fail(Fault::data, fmt::format("{}: \"{}\" must be an object of names", where, key));
  }
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) {
      fail(Fault::data, fmt::format("{}: \"{}\" must be an object of names", where, key));
    }
    names[name] = value;
    check_name(fmt::format("{}: \"{}\"", where, key), names[name]);
  }
  return names;
}

std::string selector_of(const std::string& where, const Json& json) {
  const auto found = json.find("graph");
  if (found == json.end()) return "";
  if (found->is_number_unsigned()) return found->dump();
  if (found->is_string() && !found->get_ref<const std::string&>().empty()) return *found;
  fail(Fault::data, where + ": \"graph\" must be the name or the index of a graph");
}

// Builds the JSON of the composed graph; what is wrong with its nodes, parse_graph says.
class Composer {
 public:
  Composer(const std::string& name, const Json& json, const Graph* graph)
      : name_(name), where_("method " + printable(name)), json_(json), graph_(graph) {}

  std::string run() {
    if (graph_) map_names();
    Json composed{{"inputs", inputs()}, {"outputs", json_["outputs"]}, {"nodes", Json::array()}};
    add_own(composed["nodes"], "preprocess");
    if (graph_) add_graph(composed["nodes"]);
    add_own(composed["nodes"], "postprocess");
    return composed.dump();
  }

 private:
  // What each of the graph's tensors is called in the method.
  void map_names() {
    const Names inputs = names_at(where_, json_, "graph_inputs");
    const Names outputs = names_at(where_, json_, "graph_outputs");
    std::set<std::string> known;
    for (const ValueSpec& input : graph_->inputs) {
      known.insert(input.name);
      const auto at = inputs.find(input.name);
      names_[input.name] = at == inputs.end() ? input.name : at->second;
    }
    check_known(inputs, known, "graph_inputs", "input");
    known = {graph_->outputs.begin(), graph_->outputs.end()};
    for (const std::string& output : graph_->outputs) {
      const auto at = outputs.find(output);
      names_[output] = at == outputs.end() ? output : at->second;
    }
    check_known(outputs, known, "graph_outputs", "output");
    std::set<std::string> taken = own_names();
    for (const auto& [inside, outside] : names_) taken.insert(outside);
    for (const Node& node : graph_->nodes) {
      for (const std::string& tensor : node.outputs) {
        if (tensor.empty() || names_.contains(tensor)) continue;
        names_[tensor] = taken.contains(tensor) ? graph_->name + "." + tensor : tensor;
      }
    }
  }

  void check_known(const Names& given, const std::set<std::string>& known, const char* key,
                   const char* what) const {
    for (const auto& [inside, outside] : given) {
      if (known.contains(inside)) continue;
      fail(Fault::data, fmt::format("{}: \"{}\": graph {} has no {} {}; it has {}", where_, key,
                                    graph_->name, what, printable(inside), fmt::join(known, ", ")));
    }
  }

  // Every name that the method's own parts use.
  std::set<std::string> own_names() const {
    std::set<std::string> names;
    auto add = [&](const Json& list) {
      if (!list.is_array()) return;
      for (const Json& item : list) {
        if (item.is_string()) names.insert(item.get<std::string>());
      }
    };
    for (const Json& input : json_["inputs"]) {
      if (input.is_object() && input.contains("name") && input["name"].is_string()) {
        names.insert(input["name"].get<std::string>());
      } else if (input.is_string()) {
        names.insert(input.get<std::string>());
      }
    }
    add(json_["outputs"]);
    for (const char* key : {"preprocess", "postprocess"}) {
      if (!json_.contains(key)) continue;
      for (const Json& node : json_[key]) {
        if (!node.is_object()) continue;
        if (node.contains("inputs")) add(node["inputs"]);
        if (node.contains("outputs")) add(node["outputs"]);
      }
    }
    return names;
  }

  // An input that is a name alone has the type of the graph's input that it is.
  Json inputs() const {
    Json inputs = Json::array();
    for (const Json& input : json_["inputs"]) {
      if (!input.is_string()) {
        inputs.push_back(input);
        continue;
      }
      const std::string name = input;
      const ValueSpec* found = nullptr;
      for (std::size_t i = 0; graph_ && i < graph_->inputs.size(); ++i) {
        if (names_.at(graph_->inputs[i].name) == name) found = &graph_->inputs[i];
      }
      if (found == nullptr) {
        fail(Fault::data, fmt::format("{}: input {} goes into no input of a graph; write its name, "
                                      "dtype and shape",
                                      where_, printable(name)));
      }
      Json shape = Json::array();
      for (const Extent& extent : found->shape) {
        shape.push_back(extent.symbol.empty() ? Json(extent.value) : Json(extent.symbol));
      }
      inputs.push_back(
          {{"name", name}, {"dtype", std::string(name_of(found->dtype))}, {"shape", shape}});
    }
    return inputs;
  }

  void add_own(Json& nodes, const char* key) const {
    std::set<std::string> taken;
    for (std::size_t n = 0; graph_ && n < graph_->nodes.size(); ++n) {
      taken.insert(graph_->nodes[n].name);
    }
    if (!json_.contains(key)) return;
    for (Json node : json_[key]) {
      std::string name;
      if (node.is_object() && node.contains("name") && node["name"].is_string()) {
        name = node["name"];
      } else if (node.is_object() && node.contains("outputs") && node["outputs"].is_array() &&
                 !node["outputs"].empty() && node["outputs"][0].is_string()) {
        name = node["outputs"][0];
      }
      if (taken.contains(name)) node["name"] = name_ + "." + name;
      nodes.push_back(std::move(node));
    }
  }

  void add_graph(Json& nodes) const {
    Graph renamed = *graph_;
    auto rename = [&](std::vector<std::string>& list) {
      for (std::string& tensor : list) {
        if (const auto at = names_.find(tensor); at != names_.end()) tensor = at->second;
      }
    };
    for (Node& node : renamed.nodes) {
      rename(node.inputs);
      rename(node.outputs);
    }
    Json json = Json::parse(to_json(renamed));
    for (Json& node : json["nodes"]) nodes.push_back(std::move(node));
  }

  const std::string& name_;
  const std::string where_;
  Json json_;
  const Graph* graph_;
  Names names_;  // of the graph's tensors: inside -> outside
};

}  // namespace

std::string graph_of_method(const std::string& name, const std::string& json) {
  const std::string where = "method " + printable(name);
  return selector_of(where, parse(where, json));
}

Graph compose_method(const std::string& name, const std::string& json, const Graph* graph,
                     const std::vector<std::string>& known_weights) {
  const std::string where = "method " + printable(name);
  const std::string text = Composer(name, parse(where, json), graph).run();
  return parse_graph(name, text, known_weights, "method");
}

}  // namespace tpinfer::shard
