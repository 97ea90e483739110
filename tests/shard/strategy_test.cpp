// Strategies as users write them: parsing, the checks of the acceptance cases, meshes,
// and who then holds what.
#include "shard/plan/strategy.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kUsage = 64, kData = 65;

// The acceptance cases' product: x (128,96), w (96,16).
FactorCuts check(const Strategy& strategy, int ranks, bool uneven = false, bool from_file = false) {
  return check_strategy(test::matmul_neg().nodes[0], strategy, ranks, uneven, from_file);
}

Mesh mesh_of(const std::vector<Strategy>& strategies, int ranks) {
  std::vector<std::optional<FactorCuts>> demands{std::nullopt};
  for (const Strategy& strategy : strategies) demands.push_back(check(strategy, ranks));
  return mesh_for(demands, ranks, {});
}

TEST(Strategy, Parsing) {
  const auto one = parse_strategies("matmul=((1,8),(8,1))");
  EXPECT_EQ(one.at("matmul"), (Strategy{{1, 8}, {8, 1}}));
  const auto two = parse_strategies("fc1=((2, 4),(4, 1));relu=((8,),)");
  EXPECT_EQ(two.at("fc1"), (Strategy{{2, 4}, {4, 1}}));
  EXPECT_EQ(two.at("relu"), (Strategy{{8}}));
  EXPECT_EQ(to_text(two.at("relu")), "((8,))");
  EXPECT_EQ(to_text(one.at("matmul")), "((1,8),(8,1))");
  for (const char* bad :
       {"", "matmul", "=((1,1),(1,1))", "m=(1,8),(8,1)", "m=((1,8),(8,1)", "m=((1,8),(8,x))",
        "m=((1.5,8),(8,1))x", "m=1", "m=((1,8));", "m=((1.5,8))", "m=((true,8))",
        "m=((1,9223372036854775808))", "m=((1,99999999999999999999))"}) {
    EXPECT_THROWN(parse_strategies(bad), kUsage, "--strategy: ");
  }
}

TEST(Strategy, A37ContractionCutsMustAgree) {
  EXPECT_THROWN(
      check({{1, 8}, {4, 1}}, 8), kUsage,
      "MatMul fc: strategy ((1,8),(4,1)): factor k is cut into 8 in input 0 and into 4 in "
      "input 1");
  EXPECT_THROWN(check({{1, 8}, {4, 1}}, 8, false, true), kData, "into 8 in input 0 and into 4");
  EXPECT_THROWN(check({{1, 8}, {4, 1}}, 8, true), kUsage, "the cuts must agree");
}

TEST(Strategy, A38NotDivisible) {
  EXPECT_THROWN(check({{1, 5}, {5, 1}}, 5), kUsage,
                "dimension 1 of input 0: extent 96 is not divisible by 5; legal: 1; or --uneven");
  EXPECT_THROWN(check({{1, 5}, {5, 1}}, 5, false, true), kData, "96 is not divisible by 5");
  EXPECT_THROWN(check({{5, 1}, {1, 1}}, 10), kUsage,
                "extent 128 is not divisible by 5; legal: 1 2;");
  const FactorCuts uneven = check({{1, 5}, {5, 1}}, 5, true);
  EXPECT_EQ(uneven.factors, std::vector<int>{1});
  EXPECT_EQ(uneven.parts, std::vector<int>{5});
}

TEST(Strategy, A39ThreeRanksAreFineThreeOfEightAreNot) {
  EXPECT_EQ(check({{1, 3}, {3, 1}}, 3).parts, std::vector<int>{3});
  EXPECT_THROWN(check({{1, 3}, {3, 1}}, 8), kUsage,
                "it needs 3 ranks, the run has 8, which 3 does not divide");
}

TEST(Strategy, A40MoreRanksThanThereAre) {
  EXPECT_THROWN(check({{1, 16}, {16, 1}}, 8), kUsage, "it needs 16 ranks, the run has 8");
  EXPECT_THROWN(check({{1, 16}, {16, 1}}, 8, true, true), kData, "it needs 16 ranks");
  EXPECT_THROWN(check({{4, 2}, {2, 4}}, 8), kUsage, "it needs 32 ranks");
  // Far beyond int64 when multiplied out.
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_THROWN(check({{huge, huge}, {huge, huge}}, 8, true), kUsage, "it needs ");
}

TEST(Strategy, A41ABatchOfOneIsNotCut) {
  const BoundGraph graph = test::bound({1, 784}, {test::node("MatMul", "layer1", {"x", "w"}, "y")},
                                       "y", {{"w", test::weight({784, 512})}});
  EXPECT_THROWN(check_strategy(graph.nodes[0], {{2, 1}, {1, 2}}, 4, false, false), kUsage,
                "MatMul layer1: strategy ((2,1),(1,2)): dimension 0 of input 0: extent 1 is not "
                "divisible by 2; legal: 1;");
}

TEST(Strategy, WrongForms) {
  EXPECT_THROWN(check({{1, 8}}, 8), kUsage, "1 entries for 2 inputs");
  EXPECT_THROWN(check({{1, 8}, {8}}, 8), kUsage, "1 numbers for input 1, which has 2 dimensions");
  EXPECT_THROWN(check({{0, 8}, {8, 1}}, 8), kUsage, "0 cuts; the least is 1");
  EXPECT_THROWN(check({{1, -8}, {-8, 1}}, 8), kUsage, "-8 cuts");
  const BoundGraph softmax = test::bound({4, 8}, {test::node("Softmax", "s", {"x"}, "y")}, "y", {});
  EXPECT_THROWN(check_strategy(softmax.nodes[0], {{1, 2}}, 2, false, false), kUsage,
                "dimension 1 of input 0 must stay whole, cut into 2");
}

TEST(Strategy, DemandsOfAGraph) {
  BoundGraph graph = test::matmul_neg();
  // By the operator's name in any case, by the node's, from the file, and the command line first.
  EXPECT_EQ(demands_of(graph, {{"MATMUL", {{1, 8}, {8, 1}}}}, 8, false)[0]->parts,
            std::vector<int>{8});
  EXPECT_FALSE(demands_of(graph, {{"fc", {{1, 8}, {8, 1}}}}, 8, false)[1]);
  graph.nodes[0].node.strategy = Strategy{{8, 1}, {1, 1}};
  EXPECT_EQ(demands_of(graph, {}, 8, false)[0]->factors, std::vector<int>{0});
  EXPECT_EQ(demands_of(graph, {{"fc", {{1, 8}, {8, 1}}}}, 8, false)[0]->factors,
            std::vector<int>{1});
  graph.nodes[0].node.strategy = Strategy{{5, 1}, {1, 1}};
  EXPECT_THROWN(demands_of(graph, {}, 5, false), kData, "extent 128 is not divisible by 5");
  graph.nodes[0].node.strategy.reset();
  EXPECT_THROWN(demands_of(graph, {{"fc9", {{1, 1}, {1, 1}}}}, 1, false), kUsage,
                "no node or operator is called \"fc9\"; nodes: fc, neg");
}

TEST(Strategy, MeshesOfTwoDimensionalStrategies) {
  EXPECT_EQ(to_text(mesh_of({}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({}, 1)), "tp 1");
  EXPECT_EQ(to_text(mesh_of({{{1, 1}, {1, 1}}}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({{{1, 8}, {8, 1}}}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({{{2, 2}, {2, 2}}}, 8)), "tp0 2 x tp1 2 x tp2 2");
  EXPECT_EQ(to_text(mesh_of({{{2, 1}, {1, 4}}}, 8)), "tp0 2 x tp1 4");
  EXPECT_EQ(to_text(mesh_of({{{4, 2}, {2, 1}}}, 8)), "tp0 4 x tp1 2");
  EXPECT_EQ(to_text(mesh_of({{{1, 2}, {2, 4}}}, 8)), "tp0 2 x tp1 4");
  EXPECT_EQ(to_text(mesh_of({{{1, 4}, {4, 1}}}, 8)), "tp0 4 x tp1 2");  // repeated twice, last
  EXPECT_EQ(to_text(mesh_of({{{2, 1}, {1, 4}}, {{4, 2}, {2, 1}}}, 8)), "tp0 2 x tp1 2 x tp2 2");
  EXPECT_THROWN(mesh_of({{{2, 1}, {1, 1}}, {{1, 3}, {3, 1}}}, 6), kUsage,
                "into 2 and into 3 parts, which share no mesh");
}

// What every rank holds of x, w and of the product before its sum is added.
struct Held {
  std::vector<std::string> x, w, y;
  std::vector<std::vector<int>> sum_groups;
  std::vector<std::string> kinds;
};

Held held(const Strategy& strategy) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.strategies = {{"fc", strategy}};
  const Plan plan = make_plan(graph, 8, options);
  Held result;
  for (const PlanStep& step : plan.steps) {
    if (is_collective(step.kind)) result.kinds.emplace_back(name_of(step.kind));
    const bool sum =
        step.kind == PlanStep::Kind::all_reduce || step.kind == PlanStep::Kind::reduce_scatter;
    for (int rank = 0; sum && rank < 8; ++rank) {
      const std::vector<int> group = plan.mesh.group_of(step.axes, rank);
      if (group.front() == rank) result.sum_groups.push_back(group);
    }
    if (step.kind != PlanStep::Kind::compute || step.node != 0) continue;
    auto boxes = [&](int id) {
      const Value& value = plan.values[static_cast<std::size_t>(id)];
      std::vector<std::string> texts;
      for (int rank = 0; rank < 8; ++rank) {
        texts.push_back(to_text(local_box(value.shape, value.layout, plan.mesh, rank)));
      }
      return texts;
    };
    result.x = boxes(step.inputs[0]);
    result.w = boxes(step.inputs[1]);
    result.y = boxes(step.outputs[0]);
  }
  return result;
}

TEST(Strategy, A20RowsTwiceColumnsFourTimes) {
  const std::vector<std::string> w = held({{2, 1}, {1, 4}}).w;
  EXPECT_EQ(w,
            (std::vector<std::string>{"[0:96,0:4]", "[0:96,4:8]", "[0:96,8:12]", "[0:96,12:16]",
                                      "[0:96,0:4]", "[0:96,4:8]", "[0:96,8:12]", "[0:96,12:16]"}));
}

TEST(Strategy, A21ToA22OneDimension) {
  EXPECT_EQ(held({{1, 8}, {8, 1}}).w[3], "[36:48,0:16]");
  EXPECT_EQ(held({{1, 1}, {1, 8}}).w[3], "[0:96,6:8]");
}

TEST(Strategy, A23ThreeCuts) {
  const Held two = held({{2, 2}, {2, 2}});
  EXPECT_EQ(two.w,
            (std::vector<std::string>{"[0:48,0:8]", "[0:48,8:16]", "[48:96,0:8]", "[48:96,8:16]",
                                      "[0:48,0:8]", "[0:48,8:16]", "[48:96,0:8]", "[48:96,8:16]"}));
  EXPECT_EQ(two.x, (std::vector<std::string>{"[0:64,0:48]", "[0:64,0:48]", "[0:64,48:96]",
                                             "[0:64,48:96]", "[64:128,0:48]", "[64:128,0:48]",
                                             "[64:128,48:96]", "[64:128,48:96]"}));
  EXPECT_EQ(two.y, (std::vector<std::string>{"[0:64,0:8]", "[0:64,8:16]", "[0:64,0:8]",
                                             "[0:64,8:16]", "[64:128,0:8]", "[64:128,8:16]",
                                             "[64:128,0:8]", "[64:128,8:16]"}));
  EXPECT_EQ(two.sum_groups, (std::vector<std::vector<int>>{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
}

TEST(Strategy, A24RowsOnlyHaveNoSum) {
  const Held rows = held({{8, 1}, {1, 1}});
  EXPECT_EQ(rows.w[5], "[0:96,0:16]");
  EXPECT_EQ(rows.x[5], "[80:96,0:96]");
  EXPECT_EQ(rows.kinds, std::vector<std::string>{"all-gather"});
}

TEST(Strategy, A25RepeatedOverTheLastAxis) {
  const Held four = held({{1, 4}, {4, 1}});
  EXPECT_EQ(four.w, (std::vector<std::string>{"[0:24,0:16]", "[0:24,0:16]", "[24:48,0:16]",
                                              "[24:48,0:16]", "[48:72,0:16]", "[48:72,0:16]",
                                              "[72:96,0:16]", "[72:96,0:16]"}));
  EXPECT_EQ(four.sum_groups, (std::vector<std::vector<int>>{{0, 2, 4, 6}, {1, 3, 5, 7}}));
}

}  // namespace
}  // namespace tpinfer::shard
