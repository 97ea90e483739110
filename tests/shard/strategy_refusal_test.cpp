// Strategies that cannot be: every refusal with its whole text.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/strategy.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using Refusal = std::pair<int, std::string>;

// The acceptance cases' product: x (128,96), w (96,16).
Refusal refusal(const Strategy& strategy, int ranks, bool uneven = false, bool from_file = false) {
  return test::thrown(
      [&] { check_strategy(test::matmul_neg().nodes[0], strategy, ranks, uneven, from_file); });
}

Refusal refusal_of(const BoundGraph& graph, const Strategy& strategy, int ranks,
                   bool uneven = false) {
  return test::thrown([&] { check_strategy(graph.nodes[0], strategy, ranks, uneven, false); });
}

FactorCuts check(const Strategy& strategy, int ranks, bool uneven = false) {
  return check_strategy(test::matmul_neg().nodes[0], strategy, ranks, uneven, false);
}

TEST(StrategyRefusal, A37ContractionCutsMustAgree) {
  const std::string text =
      "MatMul fc: strategy ((1,8),(4,1)): dimension 1 of input 0 is cut into 8 and dimension 0 of "
      "input 1 into 4; both are factor k of extent 96, whose cuts must agree; legal: 1 2 4 8";
  EXPECT_EQ(refusal({{1, 8}, {4, 1}}, 8), Refusal(64, text));
  EXPECT_EQ(refusal({{1, 8}, {4, 1}}, 8, true), Refusal(64, text));  // --uneven changes nothing
  EXPECT_EQ(refusal({{1, 8}, {4, 1}}, 8, false, true), Refusal(65, text));
}

TEST(StrategyRefusal, BatchCutsMustAgree) {
  const BoundGraph graph = test::bound({8, 4}, {test::node("Add", "sum", {"x", "w"}, "y")}, "y",
                                       {{"w", test::weight({8, 4})}});
  EXPECT_EQ(refusal_of(graph, {{2, 1}, {4, 1}}, 4),
            Refusal(64,
                    "Add sum: strategy ((2,1),(4,1)): dimension 0 of input 0 is cut into 2 and "
                    "dimension 0 of input 1 into 4; both are factor m of extent 8, whose cuts must "
                    "agree; legal: 1 2 4"));
}

TEST(StrategyRefusal, A38NotDivisible) {
  const std::string text =
      "MatMul fc: strategy ((1,5),(5,1)): dimension 1 of input 0: extent 96 is not divisible by 5; "
      "legal: 1; or --uneven";
  EXPECT_EQ(refusal({{1, 5}, {5, 1}}, 5), Refusal(64, text));
  EXPECT_EQ(refusal({{1, 5}, {5, 1}}, 5, false, true), Refusal(65, text));
  EXPECT_EQ(refusal({{5, 1}, {1, 1}}, 10),
            Refusal(64,
                    "MatMul fc: strategy ((5,1),(1,1)): dimension 0 of input 0: extent 128 is not "
                    "divisible by 5; legal: 1 2; or --uneven"));
  const FactorCuts uneven = check({{1, 5}, {5, 1}}, 5, true);
  EXPECT_EQ(uneven.factors, std::vector<int>{1});
  EXPECT_EQ(uneven.parts, std::vector<int>{5});
}

// Powers of two are no rule of ours.
TEST(StrategyRefusal, A39ThreeRanksAreFineThreeOfEightAreNot) {
  EXPECT_EQ(check({{1, 3}, {3, 1}}, 3).parts, std::vector<int>{3});
  EXPECT_EQ(check({{1, 3}, {3, 1}}, 6).parts, std::vector<int>{3});
  EXPECT_EQ(refusal({{1, 3}, {3, 1}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((1,3),(3,1)): its 3 parts need 3 ranks, the run has 8, "
                    "which 3 does not divide; legal products: 1 2 4 8"));
}

TEST(StrategyRefusal, A40MorePartsThanRanks) {
  const std::string text =
      "MatMul fc: strategy ((1,16),(16,1)): its 16 parts need 16 ranks, the run has 8, which 16 "
      "does not divide; legal products: 1 2 4 8";
  EXPECT_EQ(refusal({{1, 16}, {16, 1}}, 8), Refusal(64, text));
  EXPECT_EQ(refusal({{1, 16}, {16, 1}}, 8, true, true), Refusal(65, text));
  EXPECT_EQ(refusal({{4, 2}, {2, 4}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((4,2),(2,4)): its 4 x 2 x 4 parts need 32 ranks, the run "
                    "has 8, which 32 does not divide; legal products: 1 2 4 8"));
  // Far beyond int64 when multiplied out.
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_EQ(refusal({{huge, huge}, {huge, huge}}, 8, true).first, 64);
  EXPECT_EQ(refusal({{8, huge}, {huge, 1}}, 8, true).first, 64);
}

TEST(StrategyRefusal, A41ABatchOfOneIsNotCut) {
  const BoundGraph graph = test::bound({1, 784}, {test::node("MatMul", "layer1", {"x", "w"}, "y")},
                                       "y", {{"w", test::weight({784, 512})}});
  EXPECT_EQ(
      refusal_of(graph, {{2, 1}, {1, 2}}, 4),
      Refusal(64,
              "MatMul layer1: strategy ((2,1),(1,2)): dimension 0 of input 0: extent 1 is not "
              "divisible by 2; legal: 1; or --uneven"));
}

TEST(StrategyRefusal, WrongForms) {
  EXPECT_EQ(refusal({{1, 8}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((1,8)): 1 entry for 2 inputs; wanted one for each of "
                    "(128,96) (96,16)"));
  EXPECT_EQ(refusal({{1, 1}, {1, 1}, {1, 1}}, 8, false, true),
            Refusal(65,
                    "MatMul fc: strategy ((1,1),(1,1),(1,1)): 3 entries for 2 inputs; wanted one "
                    "for each of (128,96) (96,16)"));
  EXPECT_EQ(refusal({{1, 8}, {8}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((1,8),(8,)): 1 number for input 1 of shape "
                    "(96,16)"));
  EXPECT_EQ(refusal({{1, 8, 1}, {8, 1}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((1,8,1),(8,1)): 3 numbers for input 0 of shape "
                    "(128,96)"));
  EXPECT_EQ(refusal({{0, 8}, {8, 1}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((0,8),(8,1)): dimension 0 of input 0: 0 parts; the least "
                    "is 1"));
  EXPECT_EQ(refusal({{1, 8}, {8, -1}}, 8),
            Refusal(64,
                    "MatMul fc: strategy ((1,8),(8,-1)): dimension 1 of input 1: -1 parts; the "
                    "least is 1"));
}

TEST(StrategyRefusal, WholeDimensions) {
  const BoundGraph softmax = test::bound({4, 8}, {test::node("Softmax", "s", {"x"}, "y")}, "y", {});
  EXPECT_EQ(
      refusal_of(softmax, {{1, 2}}, 2),
      Refusal(64,
              "Softmax s: strategy ((1,2)): dimension 1 of input 0: the operator needs extent "
              "8 whole, not cut into 2; legal: 1"));
  EXPECT_EQ(refusal_of(softmax, {{1, 2}}, 2, true).first, 64);
}

TEST(StrategyRefusal, CompoundsAreCutBetweenUnits) {
  const Attributes heads{{"g", std::int64_t{4}}, {"r", std::int64_t{2}}, {"e", std::int64_t{8}}};
  const BoundGraph graph = test::bound({5, 48}, {test::node("Heads", "q", {"x", "wq"}, "y", heads)},
                                       "y", {{"wq", test::weight({48, 64})}});
  EXPECT_EQ(
      refusal_of(graph, {{1, 1}, {1, 8}}, 8),
      Refusal(64,
              "Heads q: strategy ((1,1),(1,8)): dimension 1 of input 1: 4 units of 16 are not "
              "divisible by 8; legal: 1 2 4; or --uneven"));
}

// Two nodes whose cuts share no mesh: both are named; 65 only when both stand in the model.
TEST(StrategyRefusal, NoCommonMesh) {
  BoundGraph graph = test::two_layers(6, 12, 6, 6);
  const Strategies given{{"fc1", {{2, 1}, {1, 1}}}, {"fc2", {{1, 3}, {3, 1}}}};
  const std::string text =
      "MatMul fc1: strategy ((2,1),(1,1)) cuts the 6 ranks into 2 and MatMul fc2: strategy "
      "((1,3),(3,1)) cuts them into 3 parts, which share no mesh; one number must divide the other";
  EXPECT_EQ(test::thrown([&] { mesh_for(demands_of(graph, given, 6, false), 6, {}); }),
            Refusal(64, text));
  graph.nodes[0].node.strategy = given[0].strategy;
  EXPECT_EQ(test::thrown([&] { mesh_for(demands_of(graph, {given[1]}, 6, false), 6, {}); }),
            Refusal(64, text));
  graph.nodes[3].node.strategy = given[1].strategy;
  EXPECT_EQ(test::thrown([&] { mesh_for(demands_of(graph, {}, 6, false), 6, {}); }), Refusal(65, text));
}

}  // namespace
}  // namespace tpinfer::shard
