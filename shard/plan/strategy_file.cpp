// Reading strategy files.
#include "shard/plan/strategy_file.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxRanks = std::int64_t{1} << 24;
constexpr std::int64_t kMaxStages = 65536;

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  fail(Fault::usage, where + ": " + why);
}

void check_keys(const std::string& where, const Json& json,
                std::initializer_list<std::string_view> known_keys) {
  if (!json.is_object()) refuse(where, "must be a JSON object");
  for (const auto& [key, value] : json.items()) {
    bool known = false;
    for (const std::string_view candidate : known_keys) known |= key == candidate;
    if (!known) {
      refuse(where, fmt::format("unknown key \"{}\"; known: {}", printable(key),
                                fmt::join(known_keys, ", ")));
    }
  }
}

const Json& value_at(const std::string& where, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) refuse(where, fmt::format("the key \"{}\" is missing", key));
  return *found;
}

std::int64_t integer(const std::string& where, const Json& json) {
  const bool too_large = json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX;
  if (!json.is_number_integer() || too_large) {
    refuse(where, fmt::format("{} is not a 64-bit integer", printable(json.dump())));
  }
  return json.get<std::int64_t>();
}

// The integer json[key] in [least, most].
std::int64_t integer_at(const std::string& where, const Json& json, const char* key,
                        std::int64_t least, std::int64_t most) {
  const std::string here = fmt::format("{}: \"{}\"", where, key);
  const std::int64_t value = integer(here, value_at(where, json, key));
  if (value < least || value > most) {
    refuse(here, fmt::format("{} is not between {} and {}", value, least, most));
  }
  return value;
}

std::vector<std::int64_t> integers(const std::string& where, const Json& json) {
  if (!json.is_array()) refuse(where, "must be a list of integers");
  std::vector<std::int64_t> values;
  for (const Json& item : json) values.push_back(integer(where, item));
  return values;
}

std::vector<std::int64_t> integers_at(const std::string& where, const Json& json, const char* key) {
  return integers(fmt::format("{}: \"{}\"", where, key), value_at(where, json, key));
}

StrategyEntry parse_entry(const std::string& where, const std::string& path,
                          const std::string& node, const Json& json) {
  check_keys(where, json, {"stage", "parallel_strategy"});
  StrategyEntry entry{node, {}, {}, path};
  entry.stage = static_cast<int>(integer_at(where, json, "stage", 0, kMaxStages));
  const Json& strategy = value_at(where, json, "parallel_strategy");
  const std::string here = where + ": \"parallel_strategy\"";
  if (!strategy.is_array()) refuse(here, "must be a list of lists, one per input");
  for (const Json& input : strategy) entry.strategy.push_back(integers(here, input));
  return entry;
}

// A list per tensor dimension, or as MindSpore writes it one number: -1 is not cut.
std::vector<std::vector<int>> parse_map(const std::string& where, const Json& json,
                                        std::size_t devices) {
  const std::string here = where + ": \"tensor_map\"";
  const Json& list = value_at(where, json, "tensor_map");
  if (!list.is_array()) refuse(here, "must be a list, one entry per dimension");
  const auto most = static_cast<std::int64_t>(devices) - 1;
  std::vector<std::vector<int>> map;
  for (const Json& item : list) {
    map.emplace_back();
    const bool single = !item.is_array();
    for (std::int64_t d : single ? std::vector{integer(here, item)} : integers(here, item)) {
      if (single && d == -1) continue;
      if (d < 0 || d > most) {
        refuse(here, fmt::format("{} is none of the {} device dimensions 0 to {}, nor -1 for an "
                                 "uncut dimension",
                                 d, devices, most));
      }
      map.back().push_back(static_cast<int>(d));
    }
  }
  return map;
}

void refuse_manual_split(const std::string& where, const Json& json) {
  const std::int64_t field = integer_at(where, json, "field", INT64_MIN, INT64_MAX);
  if (field != 0) {
    refuse(where, fmt::format("\"field\" is {}: a manual uneven split; only 0 can be read", field));
  }
  for (const char* key : {"param_split_shape", "indices_offset"}) {
    if (json.contains(key) && !integers_at(where, json, key).empty()) {
      refuse(where,
             fmt::format("\"{}\" is a manual uneven split; only an empty list can be read", key));
    }
  }
}

LayoutItem parse_layout(const std::string& where, const Json& json) {
  check_keys(where, json,
             {"dev_matrix", "tensor_map", "tensor_shape", "field", "opt_weight_shard_step",
              "opt_weight_shard_size", "param_split_shape", "indices_offset"});
  refuse_manual_split(where, json);
  LayoutItem item;
  item.map.dev_matrix = integers_at(where, json, "dev_matrix");
  std::int64_t ranks = 1;
  for (std::int64_t size : item.map.dev_matrix) {
    if (size < 1 || size > kMaxRanks || (ranks *= size) > kMaxRanks) {
      refuse(where, fmt::format("\"dev_matrix\" [{}] is not of 1 to {} ranks",
                                fmt::join(item.map.dev_matrix, ","), kMaxRanks));
    }
  }
  item.map.tensor_map = parse_map(where, json, item.map.dev_matrix.size());
  item.shape = integers_at(where, json, "tensor_shape");
  for (std::int64_t extent : item.shape) {
    if (extent < 0) refuse(where, fmt::format("\"tensor_shape\": extent {}", extent));
  }
  item.map.opt_shard_step = integer_at(where, json, "opt_weight_shard_step", 0, ranks);
  item.map.opt_shard_size = integer_at(where, json, "opt_weight_shard_size", -1, ranks);
  try {
    slice_of(where, item.map, item.shape, ranks - 1);  // whether they fit does not depend on ranks
  } catch (const Error& error) {
    fail(Fault::usage, error.what());
  }
  return item;
}

// The members of the object json[key]; none when it is absent.
Json members(const std::string& path, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return Json::object();
  if (!found->is_object()) refuse(path, fmt::format("\"{}\" must be a JSON object", key));
  return *found;
}

}  // namespace

StrategyFile parse_strategy_file(const std::string& path, const std::string& text) {
  try {
    check_json(path, text);
  } catch (const Error& error) {
    fail(Fault::usage, error.what());
  }
  const Json json = Json::parse(text);
  check_keys(path, json, {"current_stage", "parallel_strategy_item", "parallel_layout_item"});
  StrategyFile file;
  file.current_stage = static_cast<int>(integer_at(path, json, "current_stage", 0, kMaxStages));
  const Json strategies = members(path, json, "parallel_strategy_item");
  const Json layouts = members(path, json, "parallel_layout_item");
  for (const auto& [node, item] : strategies.items()) {
    const std::string where =
        fmt::format("{}: parallel_strategy_item \"{}\"", path, printable(node));
    file.entries.push_back(parse_entry(where, path, node, item));
  }
  for (const auto& [parameter, item] : layouts.items()) {
    const std::string where =
        fmt::format("{}: parallel_layout_item \"{}\"", path, printable(parameter));
    file.layouts[parameter] = parse_layout(where, item);
  }
  if (file.entries.empty() && file.layouts.empty()) {
    refuse(path, "neither parallel_strategy_item nor parallel_layout_item has anything");
  }
  return file;
}

std::string check_layouts(const std::string& path, const StrategyFile& file,
                          const BoundGraph& graph) {
  std::map<std::string, Shape> weights;  // by dataset or view, as layouts name them
  for (const auto& [name, tensor] : graph.tensors) {
    if (!tensor.weight) continue;
    const bool transposed = tensor.weight->transposed;
    weights[transposed ? name.substr(0, name.size() - 2) : name] = tensor.weight->box.extent;
  }
  std::string others;
  std::size_t count = 0;
  for (const auto& [name, item] : file.layouts) {
    const auto weight = weights.find(name);
    if (weight == weights.end()) {
      ++count;
      if (others.size() < 200) others += (others.empty() ? "" : ", ") + printable(name);
    } else if (weight->second != item.shape) {
      fail(
          Fault::usage,
          fmt::format("{}: parallel_layout_item \"{}\": \"tensor_shape\" is {}, the model's weight "
                      "has {}",
                      path, printable(name), to_text(item.shape), to_text(weight->second)));
    }
  }
  if (count == 0) return "";
  return fmt::format("{}: {} {} no weight of graph {}: {}", path, count,
                     count == 1 ? "parameter is" : "parameters are", graph.name, others);
}

}  // namespace tpinfer::shard
