// Strategy files: MindSpore's JSON read, refused and written.
#include "shard/plan/strategy_file.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/plan_text.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using Refusal = std::pair<int, std::string>;

// As MindSpore writes it for the acceptance cases' product with ((2,1),(1,4)) (A-20).
const char* const kFile = R"({"current_stage": 0,
 "parallel_strategy_item": {"fc": {"stage": 2, "parallel_strategy": [[2, 1], [1, 4]]}},
 "parallel_layout_item": {"w": {"dev_matrix": [2, 1, 4], "tensor_map": [1, 0],
   "tensor_shape": [96, 16], "field": 0, "opt_weight_shard_step": 4, "opt_weight_shard_size": 2,
   "param_split_shape": [], "indices_offset": []}}})";

TEST(StrategyFile, Read) {
  const StrategyFile file = parse_strategy_file("s.json", kFile);
  ASSERT_EQ(file.entries.size(), 1U);
  EXPECT_EQ(file.entries[0].name, "fc");
  EXPECT_EQ(file.entries[0].strategy, (Strategy{{2, 1}, {1, 4}}));
  EXPECT_EQ(file.entries[0].stage, 2);
  EXPECT_EQ(file.entries[0].file, "s.json");
  const LayoutItem& w = file.layouts.at("w");
  EXPECT_EQ(w.map, (TensorMap{{2, 1, 4}, {{1}, {0}}, 4, 2}));
  EXPECT_EQ(w.shape, (Shape{96, 16}));
  EXPECT_EQ(to_text(slice_of("", w.map, w.shape, 5)), "[48:96,4:8]");  // A-28
}

TEST(StrategyFile, EntriesOfATensorMapMayBeLists) {
  const StrategyFile file = parse_strategy_file(
      "s.json", R"({"current_stage": 0, "parallel_layout_item": {"w": {"dev_matrix": [2, 2, 2],
        "tensor_map": [[2, 0], -1], "tensor_shape": [8, 3], "field": 0,
        "opt_weight_shard_step": 0, "opt_weight_shard_size": 0}}})");
  EXPECT_EQ(file.layouts.at("w").map.tensor_map, (std::vector<std::vector<int>>{{2, 0}, {}}));
}

// The file with one part of its text replaced.
Refusal refusal(const std::string& from, const std::string& to) {
  std::string text = kFile;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
  return test::thrown([&] { parse_strategy_file("s.json", text); });
}

TEST(StrategyFile, RefusedForms) {
  const std::string fc = "s.json: parallel_strategy_item \"fc\": ";
  EXPECT_EQ(refusal("{\"current", "{{\"current"),
            Refusal(64, "s.json: not valid JSON at byte 2, near \"{{\""));
  EXPECT_EQ(refusal("\"current_stage\": 0,", ""),
            Refusal(64, "s.json: the key \"current_stage\" is missing"));
  EXPECT_EQ(refusal("\"current_stage\": 0", "\"current_stage\": -1"),
            Refusal(64, "s.json: \"current_stage\": -1 is not between 0 and 65536"));
  EXPECT_EQ(refusal("\"current_stage\"", "\"currant_stage\""),
            Refusal(64,
                    "s.json: unknown key \"currant_stage\"; known: current_stage, "
                    "parallel_strategy_item, parallel_layout_item"));
  EXPECT_EQ(refusal("\"stage\": 2, ", ""), Refusal(64, fc + "the key \"stage\" is missing"));
  EXPECT_EQ(refusal("\"stage\": 2", "\"stage\": \"2\""),
            Refusal(64, fc + "\"stage\": \"2\" is not a 64-bit integer"));
  EXPECT_EQ(refusal("\"stage\": 2", "\"stage\": 2, \"x\": 1"),
            Refusal(64, fc + "unknown key \"x\"; known: stage, parallel_strategy"));
  EXPECT_EQ(refusal("[[2, 1], [1, 4]]", "7"),
            Refusal(64, fc + "\"parallel_strategy\": must be a list of lists, one per input"));
  EXPECT_EQ(refusal("[[2, 1], [1, 4]]", "[2, 1]"),
            Refusal(64, fc + "\"parallel_strategy\": must be a list of integers"));
  EXPECT_EQ(refusal("[[2, 1], [1, 4]]", "[[2, 1.5]]"),
            Refusal(64, fc + "\"parallel_strategy\": 1.5 is not a 64-bit integer"));
  EXPECT_EQ(refusal("{\"stage\": 2, \"parallel_strategy\": [[2, 1], [1, 4]]}", "[]"),
            Refusal(64, fc + "must be a JSON object"));
  EXPECT_EQ(test::thrown([] { parse_strategy_file("s.json", "[]"); }),
            Refusal(64, "s.json: must be a JSON object"));
  EXPECT_EQ(test::thrown([] { parse_strategy_file("s.json", R"({"current_stage": 0})"); }),
            Refusal(64,
                    "s.json: neither parallel_strategy_item nor parallel_layout_item has "
                    "anything"));
  EXPECT_EQ(test::thrown([] {
              parse_strategy_file("s.json",
                                  R"({"current_stage": 0, "parallel_strategy_item": []})");
            }),
            Refusal(64, "s.json: \"parallel_strategy_item\" must be a JSON object"));
  EXPECT_THROWN(parse_strategy_file("s.json", std::string(100000, '[')), 64, "nested deeper");
  EXPECT_THROWN(parse_strategy_file("s.json", R"({"current_stage": 0, "current_stage": 0})"), 64,
                "occurs twice");
}

TEST(StrategyFile, RefusedLayouts) {
  const std::string w = "s.json: parallel_layout_item \"w\": ";
  EXPECT_EQ(refusal("\"field\": 0", "\"field\": 3"),
            Refusal(64, w + "\"field\" is 3: a manual uneven split; only 0 can be read"));
  EXPECT_EQ(
      refusal("\"param_split_shape\": []", "\"param_split_shape\": [3]"),
      Refusal(64, w + "\"param_split_shape\" is a manual uneven split; only an empty list can be "
                      "read"));
  EXPECT_EQ(refusal("\"indices_offset\": []", "\"indices_offset\": [0]").first, 64);
  EXPECT_EQ(refusal("\"tensor_shape\": [96, 16]", "\"tensor_shape\": [96, 18]"),
            Refusal(64, w + "dimension 1 of 18 is not divisible into 4 slices"));
  EXPECT_EQ(refusal("\"tensor_shape\": [96, 16]", "\"tensor_shape\": [96]"),
            Refusal(64, w + "a tensor map of 2 entries for 1 dimensions"));
  EXPECT_EQ(refusal("\"tensor_shape\": [96, 16]", "\"tensor_shape\": [-96, 16]"),
            Refusal(64, w + "\"tensor_shape\": extent -96"));
  EXPECT_EQ(
      refusal("\"tensor_map\": [1, 0]", "\"tensor_map\": [1, 3]"),
      Refusal(64, w + "\"tensor_map\": 3 is none of the 3 device dimensions 0 to 2, nor -1 for "
                      "an uncut dimension"));
  EXPECT_EQ(refusal("\"tensor_map\": [1, 0]", "\"tensor_map\": [[1, -1], 0]").first, 64);
  EXPECT_EQ(refusal("\"tensor_map\": [1, 0]", "\"tensor_map\": [0, 0]"),
            Refusal(64, w + "device dimension 0 cuts twice"));
  EXPECT_EQ(refusal("\"tensor_map\": [1, 0]", "\"tensor_map\": 1"),
            Refusal(64, w + "\"tensor_map\": must be a list, one entry per dimension"));
  EXPECT_EQ(refusal("\"dev_matrix\": [2, 1, 4]", "\"dev_matrix\": [2, 0, 4]"),
            Refusal(64, w + "\"dev_matrix\" [2,0,4] is not of 1 to 16777216 ranks"));
  EXPECT_EQ(refusal("[2, 1, 4]", "[9223372036854775807, 4, 4]").first, 64);
  EXPECT_EQ(refusal("\"opt_weight_shard_size\": 2", "\"opt_weight_shard_size\": 5"),
            Refusal(64, w + "dimension 0 of 96 is not divisible into 5 slices"));
  EXPECT_EQ(refusal("\"opt_weight_shard_size\": 2", "\"opt_weight_shard_size\": -2"),
            Refusal(64, w + "\"opt_weight_shard_size\": -2 is not between -1 and 8"));
  EXPECT_EQ(refusal("\"opt_weight_shard_step\": 4", "\"opt_weight_shard_step\": 0").first, 64);
  EXPECT_EQ(refusal("\"field\"", "\"feild\"").first, 64);
}

TEST(StrategyFile, LayoutsAgainstTheModel) {
  const StrategyFile file = parse_strategy_file("s.json", kFile);
  EXPECT_EQ(check_layouts("s.json", file, test::matmul_neg()), "");
  const auto other = [&](const Shape& shape, const std::string& name) {
    return test::bound({4, shape[0]}, {test::node("MatMul", "fc", {"x", name}, "y")}, "y",
                       {{name, test::weight(shape)}});
  };
  EXPECT_EQ(test::thrown([&] {
              check_layouts("s.json", file, other({96, 8}, "w"));
            }),
            Refusal(64,
                    "s.json: parallel_layout_item \"w\": \"tensor_shape\" is (96,16), the model's "
                    "weight has (96,8)"));
  EXPECT_EQ(check_layouts("s.json", file, other({96, 8}, "v")),
            "s.json: 1 parameter is no weight of graph main: w");
}

// The plan made anew from what was written of it.
std::string read_back(const BoundGraph& graph, int ranks, const WrittenStrategies& written) {
  PlanOptions options;
  options.strategies = parse_strategy_file("plan.json", written.text).entries;
  options.uneven = written.uneven;
  return describe_plan(graph, make_plan(graph, ranks, options));
}

void expect_round_trip(const BoundGraph& graph, int ranks, const PlanOptions& options) {
  const Plan plan = make_plan(graph, ranks, options);
  const WrittenStrategies written = write_strategy_file(graph, plan, options);
  EXPECT_EQ(read_back(graph, ranks, written), describe_plan(graph, plan)) << ranks;
}

TEST(StrategyFile, WritingAndReadingGivesTheSamePlan) {
  for (int ranks : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16}) {
    for (const bool fastest : {false, true}) {
      for (const bool batch : {false, true}) {
        PlanOptions options;
        options.fastest = fastest;
        options.batch = batch;
        expect_round_trip(test::matmul_neg(), ranks, options);
        expect_round_trip(test::two_layers(4, 24, 20, 7), ranks, options);
        expect_round_trip(test::two_layers(128, 96, 64, 48), ranks, options);
      }
    }
  }
  for (const Strategy& strategy :
       {Strategy{{2, 2}, {2, 2}}, Strategy{{2, 1}, {1, 4}}, Strategy{{1, 4}, {4, 1}},
        Strategy{{4, 2}, {2, 1}}, Strategy{{8, 1}, {1, 1}}, Strategy{{1, 1}, {1, 1}}}) {
    PlanOptions options;
    options.strategies = {{"fc", strategy}, {"neg", {{strategy[0][0], 1}}}};
    expect_round_trip(test::matmul_neg(), 8, options);
  }
}

TEST(StrategyFile, WhatIsWritten) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.strategies = {{"fc", {{1, 4}, {4, 1}}}, {"neg", {{1, 1}}}};
  const WrittenStrategies written =
      write_strategy_file(graph, make_plan(graph, 8, options), options);
  EXPECT_FALSE(written.uneven);
  EXPECT_TRUE(written.notes.empty());
  const StrategyFile file = parse_strategy_file("plan.json", written.text);
  ASSERT_EQ(file.entries.size(), 2U);
  EXPECT_EQ(file.entries[0].strategy, (Strategy{{1, 4}, {4, 1}}));
  EXPECT_EQ(file.entries[1].strategy, (Strategy{{1, 1}}));
  EXPECT_EQ(file.layouts.at("w").map, (TensorMap{{1, 4, 1, 2}, {{2}, {1}}, 0, 0}));  // A-25
  EXPECT_EQ(file.layouts.at("w").shape, (Shape{96, 16}));
}

// 20 hidden units over 3 ranks: 5, 5 and 6 leaves, which no device matrix can say.
TEST(StrategyFile, UnevenCutsAreSaid) {
  const BoundGraph graph = test::two_layers(4, 24, 20, 7);
  const WrittenStrategies written = write_strategy_file(graph, make_plan(graph, 3, {}), {});
  EXPECT_TRUE(written.uneven);
  EXPECT_EQ(written.notes,
            (std::vector<std::string>{
                "weight w1 (24,20) [S1/leaf]: its slices are not equal, so that its layout is not "
                "in the file",
                "weight b1 (20,) [S0/leaf]: its slices are not equal, so that its layout is not in "
                "the file",
                "weight w2 (20,7) [S0/leaf]: its slices are not equal, so that its layout is not "
                "in the file"}));
  const StrategyFile file = parse_strategy_file("plan.json", written.text);
  EXPECT_EQ(file.layouts.size(), 1U);
  EXPECT_EQ(file.layouts.at("b2").map, (TensorMap{{1, 1, 3}, {{1}}, 0, 0}));
}

// A plan whose node is cut over the mesh's axes in another order than a strategy's.
TEST(StrategyFile, WhatNoStrategyCanSay) {
  const BoundGraph graph = test::matmul_neg();
  const Mesh mesh{{{"tp0", 2}, {"tp1", 4}}};
  std::vector<Decision> decisions(2);
  decisions[0].cuts = {{2, {0}, false}, {0, {1}, false}};  // columns over tp0, rows over tp1
  const Plan plan = lay_out(graph, mesh, decisions);
  EXPECT_EQ(
      test::thrown([&] { write_strategy_file(graph, plan, {}); }),
      Refusal(65,
              "MatMul fc: its cuts ((4,1),(1,2)) lie on other axes of the mesh tp0 2 x tp1 4 "
              "than a strategy's would; it is left to the planner, which would choose another "
              "plan; give this node a strategy"));
}

// Rows and columns of a product in three cuts are the first and the last axis; no strategy of the
// operator behind it says so, but the planner finds it again.
TEST(StrategyFile, NodesThatAreLeftToThePlanner) {
  const BoundGraph graph = test::matmul_neg();
  for (const bool fastest : {false, true}) {
    PlanOptions options;
    options.fastest = fastest;
    options.strategies = {{"fc", {{2, 2}, {2, 2}}}};
    const Plan plan = make_plan(graph, 8, options);
    const WrittenStrategies written = write_strategy_file(graph, plan, options);
    EXPECT_EQ(written.notes,
              std::vector<std::string>{
                  "Neg neg: its cuts ((2,2)) lie on other axes of the mesh tp0 2 x "
                  "tp1 2 x tp2 2 than a strategy's would; it is left to the planner"});
    EXPECT_EQ(written.same_plan_option, fastest);
    const StrategyFile file = parse_strategy_file("plan.json", written.text);
    EXPECT_EQ(file.entries.size(), 1U);
    EXPECT_EQ(file.layouts.at("w").map, (TensorMap{{2, 2, 2}, {{1}, {0}}, 0, 0}));  // A-23
    EXPECT_EQ(read_back(graph, 8, written), describe_plan(graph, plan));
  }
}

// The layout of a transposed weight is that of the dataset, in its own order.
TEST(StrategyFile, TransposedWeights) {
  Graph graph;
  graph.inputs.push_back({"x", DType::f32, {{128, ""}, {96, ""}}});
  graph.nodes = {test::node("Gemm", "fc", {"x", "w"}, "y", {{"transB", std::int64_t{1}}})};
  graph.outputs = {"y"};
  const WeightTable weights{{"w", test::weight({16, 96})}};
  const BoundGraph bound_graph = bind(lower(graph, weights), {}, weights, test::rules());
  PlanOptions options;
  options.strategies = {{"fc", {{1, 4}, {2, 4}}}};
  const Plan plan = make_plan(bound_graph, 8, options);
  const WrittenStrategies written = write_strategy_file(bound_graph, plan, options);
  const StrategyFile file = parse_strategy_file("plan.json", written.text);
  EXPECT_EQ(file.entries[0].strategy, (Strategy{{1, 4}, {2, 4}}));
  EXPECT_EQ(file.layouts.at("w").map, (TensorMap{{1, 4, 2}, {{0}, {1}}, 0, 0}));
  EXPECT_EQ(file.layouts.at("w").shape, (Shape{16, 96}));
  EXPECT_EQ(check_layouts("plan.json", file, bound_graph), "");
  EXPECT_EQ(read_back(bound_graph, 8, written), describe_plan(bound_graph, plan));
}

}  // namespace
}  // namespace tpinfer::shard
