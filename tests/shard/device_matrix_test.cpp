// Device matrices and tensor maps of strategies, and that our meshes hold the same slices on the
// same ranks (acceptance page 3.1 and 3.2, A-20 to A-25).
#include "shard/plan/device_matrix.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using Matrix = std::vector<std::int64_t>;
using Map = std::vector<std::vector<int>>;

Rule rule_of(const std::string& text, const std::vector<Shape>& shapes) {
  return bind_rule("", {text, {}}, shapes);
}

// The strategy's layouts, checked as a user's is.
DeviceLayouts layouts(const Rule& rule, const Strategy& strategy, int ranks) {
  return device_layouts(
      rule, check_strategy({test::node("Op", "op", {}, "y"), rule}, strategy, ranks, false, false),
      ranks);
}

std::vector<std::string> order_of(const Rule& rule) {
  std::vector<std::string> names;
  for (int f : device_order(rule)) {
    names.push_back(rule.factors[static_cast<std::size_t>(f)].name);
  }
  return names;
}

TEST(DeviceMatrix, OrderOfTheFactors) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(order_of(rule_of("m k, k n -> m n", {{4, 6}, {6, 8}})), (Names{"m", "k", "n"}));
  EXPECT_EQ(order_of(rule_of("a b m k, b k n -> a b m n", {{2, 3, 4, 6}, {3, 6, 8}})),
            (Names{"a", "b", "m", "k", "n"}));
  // The leading dimension of the second input comes first, too, and a bias may come first.
  EXPECT_EQ(order_of(rule_of("m k, b k n -> b m n", {{4, 6}, {3, 6, 8}})),
            (Names{"b", "m", "k", "n"}));
  EXPECT_EQ(order_of(rule_of("n, m n -> m n", {{4}, {6, 4}})), (Names{"m", "n"}));
  EXPECT_EQ(order_of(rule_of("m n -> n m", {{4, 6}})), (Names{"m", "n"}));  // a transposition
  EXPECT_EQ(order_of(rule_of("a b, b a -> a b", {{4, 6}, {6, 4}})), (Names{"a", "b"}));
}

TEST(DeviceMatrix, OfAProduct) {
  const Rule product = rule_of("m k, k n -> m n", {{128, 96}, {96, 16}});
  const DeviceLayouts two = layouts(product, {{2, 2}, {2, 2}}, 8);
  EXPECT_EQ(two.inputs[0].dev_matrix, (Matrix{2, 2, 2}));
  EXPECT_EQ(two.inputs[0].tensor_map, (Map{{2}, {1}}));
  EXPECT_EQ(two.inputs[1].tensor_map, (Map{{1}, {0}}));
  EXPECT_EQ(two.outputs[0].tensor_map, (Map{{2}, {0}}));
  EXPECT_EQ(layouts(product, {{2, 1}, {1, 4}}, 8).inputs[1].dev_matrix, (Matrix{2, 1, 4}));
  EXPECT_EQ(layouts(product, {{1, 8}, {8, 1}}, 8).inputs[1].dev_matrix, (Matrix{1, 8, 1}));
  EXPECT_EQ(layouts(product, {{1, 1}, {1, 8}}, 8).inputs[1].dev_matrix, (Matrix{1, 1, 8}));
  EXPECT_EQ(layouts(product, {{8, 1}, {1, 1}}, 8).inputs[1].dev_matrix, (Matrix{8, 1, 1}));
}

TEST(DeviceMatrix, RepeatedWorkComesLast) {
  const Rule product = rule_of("m k, k n -> m n", {{128, 96}, {96, 16}});
  const DeviceLayouts four = layouts(product, {{1, 4}, {4, 1}}, 8);
  EXPECT_EQ(four.inputs[1].dev_matrix, (Matrix{1, 4, 1, 2}));
  EXPECT_EQ(four.inputs[0].tensor_map, (Map{{3}, {2}}));
  EXPECT_EQ(four.inputs[1].tensor_map, (Map{{2}, {1}}));
  EXPECT_EQ(four.outputs[0].tensor_map, (Map{{3}, {1}}));
}

TEST(DeviceMatrix, LeadingDimensionsAndOtherOperators) {
  const Rule batches = rule_of("a b m k, b k n -> a b m n", {{2, 4, 8, 16}, {4, 16, 32}});
  const DeviceLayouts all = layouts(batches, {{2, 4, 8, 16}, {4, 16, 32}}, 32768);
  EXPECT_EQ(all.inputs[0].dev_matrix, (Matrix{2, 4, 8, 16, 32}));
  EXPECT_EQ(all.inputs[0].tensor_map, (Map{{4}, {3}, {2}, {1}}));
  EXPECT_EQ(all.inputs[1].tensor_map, (Map{{3}, {1}, {0}}));
  const Rule activation = rule_of("a b c -> a b c", {{4, 6, 8}});
  const DeviceLayouts same = layouts(activation, {{2, 1, 4}}, 8);
  EXPECT_EQ(same.inputs[0].dev_matrix, (Matrix{2, 1, 4}));
  EXPECT_EQ(same.inputs[0].tensor_map, (Map{{2}, {1}, {0}}));
  const Rule bias = rule_of("m n, 1 n -> m n", {{4, 8}, {1, 8}});
  EXPECT_EQ(layouts(bias, {{2, 4}, {1, 4}}, 8).inputs[1].tensor_map, (Map{{}, {0}}));
}

std::string slices(const TensorMap& map, const Shape& shape, int ranks) {
  std::string text;
  for (int r = 0; r < ranks; ++r) text += " " + to_text(slice_of("", map, shape, r));
  return text;
}

std::string boxes(const Plan& plan, int id) {
  const Value& value = plan.values[static_cast<std::size_t>(id)];
  std::string text;
  for (int r = 0; r < plan.mesh.size(); ++r) {
    text += " " + to_text(local_box(value.shape, value.layout, plan.mesh, r));
  }
  return text;
}

// Compares who holds what of every tensor of node 0.
void expect_same_slices(const BoundGraph& graph, const Strategy& strategy, int ranks) {
  PlanOptions options;
  options.strategies = {{graph.nodes[0].node.name, strategy}};
  const Plan plan = make_plan(graph, ranks, options);
  const DeviceLayouts want = layouts(graph.nodes[0].rule, strategy, ranks);
  for (const PlanStep& step : plan.steps) {
    if (step.kind != PlanStep::Kind::compute || step.node != 0) continue;
    auto compare = [&](const std::vector<int>& ids, const std::vector<TensorMap>& maps) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const Shape& shape = plan.values[static_cast<std::size_t>(ids[i])].shape;
        EXPECT_EQ(slices(maps[i], shape, ranks), boxes(plan, ids[i]))
            << to_text(strategy) << " on " << ranks << ", tensor " << i;
      }
    };
    compare(step.inputs, want.inputs);
    compare(step.outputs, want.outputs);
  }
}

// and every other strategy of the acceptance cases' product on 1 to 16 ranks.
TEST(DeviceMatrix, OurMeshesHoldTheSameSlices) {
  int strategies = 0;
  for (int ranks : {1, 2, 4, 8, 16}) {
    for (std::int64_t m = 1; m <= ranks; m *= 2) {
      for (std::int64_t k = 1; m * k <= ranks; k *= 2) {
        for (std::int64_t n = 1; m * k * n <= ranks; n *= 2, ++strategies) {
          expect_same_slices(test::matmul_neg(), {{m, k}, {k, n}}, ranks);
        }
      }
    }
  }
  EXPECT_EQ(strategies, 70);
}

TEST(DeviceMatrix, OtherRankCountsHoldTheSameSlicesWhereTheyAreEqual) {
  for (const auto& [m, n] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {3, 1}, {1, 3}, {3, 2}, {2, 3}, {1, 6}, {6, 1}, {3, 4}, {1, 1}}) {
    expect_same_slices(test::bound({12, 16}, {test::node("MatMul", "fc", {"x", "w"}, "y")}, "y",
                                   {{"w", test::weight({16, 24})}}),
                       {{m, 1}, {1, n}}, 12);
  }
}

// A bias in front of what it is added to must not turn the mesh round.
TEST(DeviceMatrix, ABiasInFront) {
  RuleTable rules = test::rules();
  rules["BiasAdd"] = [](const RuleRequest& r) { return test::answer(r, "n, m n -> m n"); };
  Graph graph;
  graph.name = "main";
  graph.inputs.push_back({"x", DType::f32, {{8, ""}, {16, ""}}});
  graph.nodes = {test::node("BiasAdd", "add", {"b", "x"}, "y")};
  graph.outputs = {"y"};
  const BoundGraph bound = bind(graph, {}, {{"b", test::weight({16})}}, rules);
  expect_same_slices(bound, {{4}, {2, 4}}, 8);
  EXPECT_EQ(layouts(bound.nodes[0].rule, {{4}, {2, 4}}, 8).inputs[0].dev_matrix, (Matrix{2, 4}));
}

}  // namespace
}  // namespace tpinfer::shard
