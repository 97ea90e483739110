#include "shard/plan/cost_table.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "shard/plan/cost.hpp"
#include "shard/plan/memory.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

TEST(CostTable, ReadsWhatItWrites) {
  CostTable costs;
  EXPECT_EQ(parse_costs("c.json", to_json(costs)), costs);
  costs.operator_seconds = 1.25e-7;
  costs.ranks_per_node = 4;
  costs.memory_ranks_per_node = 1.5;
  costs.products = {{2, 1e9}};
  costs.collectives[2] = {{2, 1, 1e-6, 3e9}, {8, 1, 2e-6, 2e9}, {16, 2, 1e-5, 1e9}};
  EXPECT_EQ(parse_costs("c.json", to_json(costs)), costs);
  EXPECT_FALSE(costs == CostTable{});
}

TEST(CostTable, BetweenAndBeyondItsRows) {
  CostTable costs;
  EXPECT_EQ(product_rate(costs, 0.5), 4e9);
  EXPECT_EQ(product_rate(costs, 8), 2e10);
  EXPECT_EQ(product_rate(costs, 32), 2e10 + 1e10 * 2 / 3);  // two of three doublings
  EXPECT_EQ(product_rate(costs, 1e6), 3e10);
  costs.collectives[0] = {{2, 1, 0x1p-20, 2e9}, {8, 1, 0x3p-20, 1e9}, {16, 2, 9e-6, 5e8}};
  EXPECT_EQ(collective_seconds(costs, 0, 2, true, 0), 0x1p-20);
  EXPECT_EQ(collective_seconds(costs, 0, 4, true, 0), 0x2p-20);
  EXPECT_EQ(collective_seconds(costs, 0, 8, true, 1e9), 0x3p-20 + 1);
  EXPECT_EQ(collective_seconds(costs, 0, 32, true, 0), 0x5p-20);  // the slope goes on
  EXPECT_EQ(collective_seconds(costs, 0, 2, false, 0), 9e-6);  // several nodes
  EXPECT_EQ(collective_seconds(costs, 1, 2, false, 0), 8e-6);  // no row for these: one node's
  costs.collectives[0] = {{2, 1, 3e-6, 2e9}, {4, 1, 1e-6, 1e9}};
  EXPECT_EQ(collective_seconds(costs, 0, 64, true, 0), 1e-6);  // never below the last row
}

// What `change` makes of the default table is refused with a line that has these words.
void refused(const std::function<void(Json&)>& change, const std::string& words) {
  Json json = Json::parse(to_json(CostTable{}));
  change(json);
  EXPECT_THROWN(parse_costs("c.json", json.dump()), 64, words);
}

TEST(CostTable, RefusesWrongOnes) {
  EXPECT_THROWN(parse_costs("c.json", ""), 64, "c.json");
  EXPECT_THROWN(parse_costs("c.json", "[1]"), 64, "c.json: must be a JSON object");
  EXPECT_THROWN(parse_costs("c.json", "{\"format\": 1, \"format\": 2}"), 64, "format");
  EXPECT_THROWN(parse_costs("c.json", std::string(100, '[')), 64, "c.json");
  const std::string row = "c.json: collectives: all-reduce[0]: ";
  const std::vector<std::pair<std::function<void(Json&)>, std::string>> cases{
      {[](Json& j) { j.erase("products"); }, "c.json: the key \"products\" is missing"},
      {[](Json& j) { j["speed"] = 1; }, "c.json: unknown key \"speed\"; known: format"},
      {[](Json& j) { j["format"] = "costs"; }, "\"format\" must be \"tpinfer costs\""},
      {[](Json& j) { j["version"] = 2; }, "\"version\" must be 1"},
      {[](Json& j) { j["operator_seconds"] = "1"; }, "\"operator_seconds\" must be a number"},
      {[](Json& j) { j["operator_seconds"] = -1; }, "\"operator_seconds\" is -1; it must be from"},
      {[](Json& j) { j["memory_bytes_per_second"] = 0; }, "\"memory_bytes_per_second\" is 0"},
      {[](Json& j) { j["memory_bytes_per_second"] = 1e300; }, "\"memory_bytes_per_second\" is 1e+"},
      {[](Json& j) { j["ranks_per_node"] = 1.5; }, "\"ranks_per_node\" is 1.5; it must be a whole"},
      {[](Json& j) { j["compute_ranks_per_node"] = 0.5; }, "\"compute_ranks_per_node\" is 0.5"},
      {[](Json& j) { j["products"] = 3; }, "\"products\" must be a list of 1 to 64 rows"},
      {[](Json& j) { j["products"] = Json::array(); }, "\"products\" must be a list of 1 to 64"},
      {[](Json& j) { j["products"][0] = 1; }, "c.json: products[0]: must be a JSON object"},
      {[](Json& j) { j["products"][1]["rows"] = 1; }, "products[1]: \"rows\" must be more"},
      {[](Json& j) { j["products"][2]["flops_per_second"] = nullptr; },
       "products[2]: \"flops_per_second\" must be a number"},
      {[](Json& j) { j["collectives"] = Json::array(); }, "collectives: must be a JSON object"},
      {[](Json& j) { j["collectives"].erase("send"); }, "the key \"send\" is missing"},
      {[](Json& j) { j["collectives"]["broadcast"] = 1; }, "unknown key \"broadcast\""},
      {[](Json& j) { j["collectives"]["all-reduce"][0]["ranks"] = 1; }, row + "\"ranks\" is 1"},
      {[](Json& j) { j["collectives"]["all-reduce"][0]["nodes"] = 3; }, row + "\"nodes\" is 3"},
      {[](Json& j) { j["collectives"]["all-reduce"][0].erase("seconds"); },
       row + "the key \"seconds\" is missing"},
      {[](Json& j) { j["collectives"]["all-reduce"][0]["seconds"] = -1e-6; },
       row + "\"seconds\" is -1e-06"},
      {[](Json& j) { j["collectives"]["all-reduce"][1]["ranks"] = 2; },
       "all-reduce[1]: rows must ascend"},
      {[](Json& j) { j["collectives"]["send"][0]["nodes"] = 2; },
       "\"send\" needs a row with \"nodes\" 1"},
  };
  for (const auto& [change, words] : cases) refused(change, words);
}

TEST(CostTable, BytesOnTheCommandLine) {
  EXPECT_EQ(parse_bytes("--memory", "8GiB"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_bytes("--memory", "1.5 GB"), 1'500'000'000);
  EXPECT_EQ(parse_bytes("--memory", "4096"), 4096);
  EXPECT_EQ(parse_bytes("--memory", "512MiB"), 512 << 20);
  for (const char* wrong : {"", "GiB", "-1", "0", "0.2", "8 gigs", "8GiBs", "1e3", "nan", "inf",
                            "99999999999TiB", "8,5GB"}) {
    EXPECT_THROWN(parse_bytes("--memory", wrong), 64, "write bytes such as 8GiB");
  }
}

}  // namespace
}  // namespace tpinfer::shard
