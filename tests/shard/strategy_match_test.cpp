// Strategies as users write them, and the nodes that they are meant for.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/strategy.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using Refusal = std::pair<int, std::string>;

const Strategy kRows{{8, 1}, {1, 1}}, kSum{{1, 8}, {8, 1}}, kColumns{{1, 1}, {1, 8}};

TEST(StrategyText, Parsing) {
  const Strategies two = parse_strategies("fc1=((2, 4),(4, 1));relu=((8,),)");
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].name, "fc1");
  EXPECT_EQ(two[0].strategy, (Strategy{{2, 4}, {4, 1}}));
  EXPECT_EQ(two[1].strategy, (Strategy{{8}}));
  EXPECT_EQ(to_text(two[1].strategy), "((8,))");
  EXPECT_EQ(to_text(parse_strategies("matmul=((1,8),(8,1))")[0].strategy), "((1,8),(8,1))");
  EXPECT_EQ(parse_strategies("a=b=((1,),)")[0].name, "a=b");  // a name may have a '='
  EXPECT_EQ(parse_strategies("scalars=((),())")[0].strategy, (Strategy{{}, {}}));
  EXPECT_EQ(strategy_files("a.json;m=((1,),);b/c.json"),
            (std::vector<std::string>{"a.json", "b/c.json"}));
  for (const char* bad :
       {"", "matmul", "=((1,1),(1,1))", "m=(1,8),(8,1)", "m=((1,8),(8,1)", "m=((1,8),(8,x))",
        "m=((1.5,8),(8,1))x", "m=1", "m=((1,8));", "m=((1.5,8))", "m=((true,8))", "m={\"a\":1}",
        "m=((1,9223372036854775808))", "m=((1,99999999999999999999))"}) {
    EXPECT_THROWN(parse_strategies(bad), 64, "--strategy: ");
  }
  EXPECT_EQ(test::thrown([] { parse_strategies("m=((1,8)"); }),
            Refusal(64,
                    "--strategy: \"((1,8)\" is not of the form ((1,8),(8,1)): one tuple per input, "
                    "one number per dimension"));
  EXPECT_EQ(
      test::thrown([] { parse_strategies("m"); }),
      Refusal(64, "--strategy: \"m\" is not of the form NODE=((1,8),(8,1)) and no FILE.json"));
  EXPECT_THROWN(parse_strategies("m=" + std::string(1000000, '(')), 64, "is not of the form");
}

TEST(StrategyText, Patterns) {
  EXPECT_TRUE(matches_pattern("layers.*.fc1", "layers.11.fc1"));
  EXPECT_TRUE(matches_pattern("layers.*.fc1", "layers..fc1"));
  EXPECT_TRUE(matches_pattern("*a*b?d", "xaabbcabcd"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("fc?", "fc1"));
  EXPECT_FALSE(matches_pattern("fc?", "fc"));
  EXPECT_FALSE(matches_pattern("fc?", "fc12"));
  EXPECT_FALSE(matches_pattern("layers.*.fc1", "layers.1.fc10"));
  EXPECT_FALSE(matches_pattern("a*b", "ab2"));
  EXPECT_FALSE(matches_pattern("", "a"));
  // A backtracking matcher would take for ever.
  std::string many;
  for (int i = 0; i < 60; ++i) many += "*a";
  EXPECT_FALSE(matches_pattern(many + "b", std::string(500, 'a')));
}

// Three products and what each is told to do.
std::vector<Strategy> told(const Strategies& given) {
  BoundGraph graph = test::bound({8, 64},
                                 {test::node("MatMul", "layers.0.fc", {"x", "w0"}, "p"),
                                  test::node("MatMul", "layers.1.fc", {"p", "w1"}, "q"),
                                  test::node("MatMul", "head", {"q", "w2"}, "y")},
                                 "y",
                                 {{"w0", test::weight({64, 64})},
                                  {"w1", test::weight({64, 64})},
                                  {"w2", test::weight({64, 64})}});
  std::vector<Strategy> result;
  for (const auto& demand : demands_of(graph, given, 8, false)) {
    result.push_back(!demand                   ? Strategy{}
                     : demand->factors.empty() ? Strategy{{1, 1}, {1, 1}}
                     : demand->factors[0] == 0 ? kRows
                     : demand->factors[0] == 1 ? kSum
                                               : kColumns);
  }
  return result;
}

TEST(StrategyMatch, NamesPatternsAndOperators) {
  using Told = std::vector<Strategy>;
  EXPECT_EQ(told({}), (Told{{}, {}, {}}));
  EXPECT_EQ(told({{"MATMUL", kRows}}), (Told{kRows, kRows, kRows}));
  EXPECT_EQ(told({{"layers.*", kRows}}), (Told{kRows, kRows, {}}));
  EXPECT_EQ(told({{"layers.?.fc", kRows}, {"head", kSum}}), (Told{kRows, kRows, kSum}));
  // A later one wins; a name over a pattern and a pattern over an operator, wherever they stand.
  EXPECT_EQ(told({{"layers.*", kRows}, {"*.1.fc", kSum}}), (Told{kRows, kSum, {}}));
  EXPECT_EQ(told({{"head", kRows}, {"head", kSum}}), (Told{{}, {}, kSum}));
  EXPECT_EQ(told({{"layers.1.fc", kSum}, {"layers.*", kRows}, {"matmul", kColumns}}),
            (Told{kRows, kSum, kColumns}));
  // A file names nodes only: nothing in it is a pattern.
  EXPECT_EQ(told({{"layers.0.fc", kRows, 0, "s.json"}, {"*", kSum}}), (Told{kRows, kSum, kSum}));
}

TEST(StrategyMatch, WhatFitsNothing) {
  EXPECT_EQ(test::thrown([] {
              told({{"layers.2.fc", kRows}});
            }),
            Refusal(64,
                    "--strategy: no node or operator is called \"layers.2.fc\"; near: layers.0.fc, "
                    "layers.1.fc"));
  EXPECT_EQ(test::thrown([] {
              told({{"conv", kRows}});
            }),
            Refusal(64,
                    "--strategy: no node or operator is called \"conv\"; nodes: layers.0.fc, "
                    "layers.1.fc, head"));
  EXPECT_EQ(test::thrown([] {
              told({{"layers.*.fc9", kRows}});
            }),
            Refusal(64,
                    "--strategy: \"layers.*.fc9\" fits the name of no node; nodes: layers.0.fc, "
                    "layers.1.fc, head"));
  EXPECT_EQ(test::thrown([] {
              told({{"heap", kRows, 0, "s.json"}});
            }),
            Refusal(64,
                    "s.json: parallel_strategy_item \"heap\": the graph has no such node; near: "
                    "head"));
  EXPECT_EQ(test::thrown([] { told({{"matmul", kRows, 0, "s.json"}}); }).first, 64);
  EXPECT_EQ(
      test::thrown([] {
        told({{"head", {{1, 5}, {5, 1}}, 0, "s.json"}});
      }),
      Refusal(64,
              "s.json: MatMul head: strategy ((1,5),(5,1)): dimension 1 of input 0: extent 64 "
              "is not divisible by 5; legal: 1 2 4 8; or --uneven"));
}

TEST(StrategyMatch, TheModelsOwnStrategiesComeLast) {
  BoundGraph graph = test::matmul_neg();
  graph.nodes[0].node.strategy = kRows;
  EXPECT_EQ(demands_of(graph, {}, 8, false)[0]->factors, std::vector<int>{0});
  EXPECT_EQ(demands_of(graph, {{"matmul", kSum}}, 8, false)[0]->factors, std::vector<int>{1});
  EXPECT_FALSE(demands_of(graph, {{"fc", kSum}}, 8, false)[1]);
  graph.nodes[0].node.strategy = Strategy{{5, 1}, {1, 1}};
  EXPECT_THROWN(demands_of(graph, {}, 5, false), 65, "extent 128 is not divisible by 5");
  // A stage comes along with the strategy that won.
  EXPECT_EQ(demands_of(graph, {{"fc", kSum, 3, "s.json"}}, 8, false)[0]->stage, 3);
  EXPECT_EQ(demands_of(graph, {{"fc", kSum}}, 8, false)[0]->stage, std::nullopt);
}

// With transB the strategy is ((a,b),(c,b)), as the Gemm has its inputs.
TEST(StrategyMatch, AGemmInItsOwnForm) {
  Graph graph;
  graph.inputs.push_back({"x", DType::f32, {{128, ""}, {96, ""}}});
  graph.nodes = {test::node("Gemm", "fc", {"x", "w", "b"}, "y", {{"transB", std::int64_t{1}}})};
  graph.outputs = {"y"};
  const WeightTable weights{{"w", test::weight({16, 96})}, {"b", test::weight({16})}};
  const auto demand = [&](const Strategies& given) {
    const BoundGraph bound = bind(lower(graph, weights), {}, weights, test::rules());
    const auto demands = demands_of(bound, given, 8, false);
    return std::make_pair(demands[0]->factors, demands[0]->parts);
  };
  const auto want = std::make_pair(std::vector<int>{1, 2}, std::vector<int>{4, 2});
  EXPECT_EQ(demand({{"fc", {{1, 4}, {2, 4}}}}), want);
  EXPECT_EQ(demand({{"fc", {{1, 4}, {2, 4}, {2}}}}), want);
  EXPECT_EQ(demand({{"gemm", {{1, 4}, {2, 4}, {1}}}}), want);
  EXPECT_EQ(demand({{"?c", {{1, 4}, {2, 4}}}}), want);
  EXPECT_EQ(demand({{"matmul", {{1, 4}, {4, 2}}}}), want);  // of the MatMul that it becomes
  graph.nodes[0].strategy = Strategy{{1, 4}, {2, 4}};
  EXPECT_EQ(demand({}), want);
  const std::string text =
      "Gemm fc: strategy ((1,4),(2,4),(4,)): input 2 follows the product, which is cut into (1,2); "
      "give it these numbers, 1, or leave it out";
  EXPECT_EQ(test::thrown([&] { demand({{"fc", {{1, 4}, {2, 4}, {4}}}}); }), Refusal(64, text));
  graph.nodes[0].strategy = Strategy{{1, 4}, {2, 4}, {4}};
  EXPECT_EQ(test::thrown([&] { demand({}); }), Refusal(65, text));
}

}  // namespace
}  // namespace tpinfer::shard
