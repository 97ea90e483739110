#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "shard/plan/cost_table.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "tpinfer costs";
constexpr int kVersion = 1;
constexpr std::size_t kMostRows = 64;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  fail(Fault::usage, fmt::format("{}: {}", where, what));
}

// Exactly these keys.
void check_keys(const std::string& where, const Json& json,
                std::initializer_list<std::string_view> keys) {
  if (!json.is_object()) refuse(where, "must be a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      refuse(where,
             fmt::format("unknown key \"{}\"; known: {}", printable(key), fmt::join(keys, ", ")));
    }
  }
  for (std::string_view key : keys) {
    if (!json.contains(key)) refuse(where, fmt::format("the key \"{}\" is missing", key));
  }
}

double number_at(const std::string& where, const Json& json, const char* key, double least,
                 double most) {
  const Json& value = json.at(key);
  if (!value.is_number()) refuse(where, fmt::format("\"{}\" must be a number", key));
  const double number = value.get<double>();
  if (!(number >= least && number <= most)) {
    refuse(where, fmt::format("\"{}\" is {}; it must be from {} to {}", key, number, least, most));
  }
  return number;
}

int whole_at(const std::string& where, const Json& json, const char* key, int least, int most) {
  const double number = number_at(where, json, key, least, most);
  if (number != static_cast<int>(number)) {
    refuse(where, fmt::format("\"{}\" is {}; it must be a whole number", key, number));
  }
  return static_cast<int>(number);
}

constexpr double kLeastRate = 1, kMostRate = 1e18;  // bytes or operations per second
constexpr double kMostSeconds = 1000;
constexpr int kMostRanks = 1 << 20;

double rate_at(const std::string& where, const Json& json, const char* key) {
  return number_at(where, json, key, kLeastRate, kMostRate);
}

const Json& rows_at(const std::string& where, const Json& json, std::string_view key) {
  const Json& rows = json.at(key);
  if (!rows.is_array() || rows.empty() || rows.size() > kMostRows) {
    refuse(where, fmt::format("\"{}\" must be a list of 1 to {} rows", key, kMostRows));
  }
  return rows;
}

std::vector<ProductRate> products_at(const std::string& where, const Json& json) {
  std::vector<ProductRate> rates;
  for (const Json& row : rows_at(where, json, "products")) {
    const std::string here = fmt::format("{}: products[{}]", where, rates.size());
    check_keys(here, row, {"rows", "flops_per_second"});
    rates.push_back(
        {number_at(here, row, "rows", 1, 1e12), rate_at(here, row, "flops_per_second")});
    if (rates.size() > 1 && rates.back().rows <= rates[rates.size() - 2].rows) {
      refuse(here, "\"rows\" must be more than in the row before");
    }
  }
  return rates;
}

std::vector<CollectiveRate> collective_at(const std::string& where, const Json& json,
                                          std::string_view kind) {
  std::vector<CollectiveRate> rates;
  for (const Json& row : rows_at(where, json, kind)) {
    const std::string here = fmt::format("{}: {}[{}]", where, kind, rates.size());
    check_keys(here, row, {"ranks", "nodes", "seconds", "bytes_per_second"});
    rates.push_back(
        {whole_at(here, row, "ranks", 2, kMostRanks), whole_at(here, row, "nodes", 1, 2),
         number_at(here, row, "seconds", 0, kMostSeconds), rate_at(here, row, "bytes_per_second")});
    if (rates.size() == 1) continue;
    const CollectiveRate& before = rates[rates.size() - 2];
    if (std::pair(rates.back().nodes, rates.back().ranks) <=
        std::pair(before.nodes, before.ranks)) {
      refuse(here, "rows must ascend by \"nodes\", then by \"ranks\"");
    }
  }
  if (rates.front().nodes != 1) {
    refuse(where, fmt::format("\"{}\" needs a row with \"nodes\" 1", kind));
  }
  return rates;
}

}  // namespace

CostTable parse_costs(const std::string& where, const std::string& text) {
  try {
    check_json(where, text);
  } catch (const Error& error) {
    fail(Fault::usage, error.what());
  }
  const Json json = Json::parse(text);
  check_keys(where, json,
             {"format", "version", "operator_seconds", "memory_bytes_per_second", "ranks_per_node",
              "compute_ranks_per_node", "memory_ranks_per_node", "products", "collectives"});
  if (json["format"] != kFormat) refuse(where, fmt::format("\"format\" must be \"{}\"", kFormat));
  if (json["version"] != kVersion) {
    refuse(where,
           fmt::format("\"version\" must be {}; make the table again (--calibrate)", kVersion));
  }
  CostTable costs;
  costs.operator_seconds = number_at(where, json, "operator_seconds", 0, kMostSeconds);
  costs.memory_bytes_per_second = rate_at(where, json, "memory_bytes_per_second");
  costs.ranks_per_node = whole_at(where, json, "ranks_per_node", 0, kMostRanks);
  // Less than one rank's worth is not "for how many ranks at once".
  for (const auto& [key, member] :
       {std::pair{"compute_ranks_per_node", &CostTable::compute_ranks_per_node},
        std::pair{"memory_ranks_per_node", &CostTable::memory_ranks_per_node}}) {
    costs.*member = number_at(where, json, key, 0, kMostRanks);
    if (costs.*member > 0 && costs.*member < 1) {
      refuse(where, fmt::format("\"{}\" is {}; it must be 0 (no limit) or at least 1", key,
                                costs.*member));
    }
  }
  costs.products = products_at(where, json);
  const Json& collectives = json["collectives"];
  const std::string inner = where + ": collectives";
  check_keys(inner, collectives,
             {kCollectiveNames[0], kCollectiveNames[1], kCollectiveNames[2], kCollectiveNames[3],
              kCollectiveNames[4]});
  for (std::size_t k = 0; k < kCollectiveNames.size(); ++k) {
    costs.collectives[k] = collective_at(inner, collectives, kCollectiveNames[k]);
  }
  return costs;
}

std::string to_json(const CostTable& costs) {
  Json json{{"format", kFormat},
            {"version", kVersion},
            {"operator_seconds", costs.operator_seconds},
            {"memory_bytes_per_second", costs.memory_bytes_per_second},
            {"ranks_per_node", costs.ranks_per_node},
            {"compute_ranks_per_node", costs.compute_ranks_per_node},
            {"memory_ranks_per_node", costs.memory_ranks_per_node},
            {"products", Json::array()},
            {"collectives", Json::object()}};
  for (const ProductRate& rate : costs.products) {
    json["products"].push_back({{"rows", rate.rows}, {"flops_per_second", rate.flops_per_second}});
  }
  for (std::size_t k = 0; k < kCollectiveNames.size(); ++k) {
    Json& rows = json["collectives"][std::string(kCollectiveNames[k])] = Json::array();
    for (const CollectiveRate& rate : costs.collectives[k]) {
      rows.push_back({{"ranks", rate.ranks},
                      {"nodes", rate.nodes},
                      {"seconds", rate.seconds},
                      {"bytes_per_second", rate.bytes_per_second}});
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace tpinfer::shard
