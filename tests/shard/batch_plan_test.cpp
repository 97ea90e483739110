// --plan batch: MindSpore's default for operators without a strategy.
#include <gtest/gtest.h>

#include <string>

#include "shard/plan/plan_text.hpp"
#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

std::string text_of(const BoundGraph& graph, int ranks, Strategies strategies = {}) {
  PlanOptions options;
  options.batch = true;
  options.strategies = std::move(strategies);
  return "\n" + describe_plan(graph, make_plan(graph, ranks, options));
}

// A-24: the network without a strategy costs no sum, and one gather of (16,16) pieces.
TEST(BatchPlan, RowsAreCutAndWeightsWhole) {
  EXPECT_EQ(text_of(test::matmul_neg(), 8), R"(
mesh tp 8
  narrow         x(128,96)[R] -> x(128,96)[S0]
  MatMul         fc: x(128,96)[S0], w(96,16)[R] -> p(128,16)[S0] (cut m/8)
  Neg            neg: p(128,16)[S0] -> y(128,16)[S0] (cut _1/8)
  all-gather     y(128,16)[S0] -> y(128,16)[R] (8 ranks, 8192 bytes)
)");
}

// 128 rows over 3 ranks: ours need not be equal.
TEST(BatchPlan, RowsThatDoNotDivide) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.batch = true;
  const Plan plan = make_plan(graph, 3, options);
  const Value& x = plan.values[static_cast<std::size_t>(plan.steps[1].inputs[0])];
  EXPECT_EQ(to_text(local_box(x.shape, x.layout, plan.mesh, 0)), "[0:42,0:96]");
  EXPECT_EQ(to_text(local_box(x.shape, x.layout, plan.mesh, 2)), "[85:128,0:96]");
}

TEST(BatchPlan, ABatchOfOneRunsWhole) {
  EXPECT_EQ(text_of(test::two_layers(1, 8, 8, 8), 4).find("cut"), std::string::npos);
}

TEST(BatchPlan, SumsOverTheBatchAreNotCut) {
  const BoundGraph graph = test::bound(
      {8, 4}, {test::node("Relu", "relu", {"x"}, "h"), test::node("ReduceSum", "sum", {"h"}, "y")},
      "y", {});
  const std::string text = text_of(graph, 2);
  EXPECT_NE(text.find("relu: x(8,4)[S0] -> h(8,4)[S0] (cut _1/2)"), text.npos) << text;
  EXPECT_NE(text.find("sum: h(8,4)[R] -> y(4,)[R] (whole)"), text.npos) << text;
}

// A strategy wins for its node, on a mesh of two axes; the others are cut over both.
TEST(BatchPlan, BesideAStrategy) {
  const std::string text = text_of(test::matmul_neg(), 8, {{"fc", {{2, 1}, {1, 4}}}});
  EXPECT_NE(text.find("-> p(128,16)[S0 S1] (cut m/2, n/4)"), text.npos) << text;
  EXPECT_NE(text.find("neg: p(128,16)[S0 S0] -> y(128,16)[S0 S0] (cut _1/8)"), text.npos) << text;
}

}  // namespace
}  // namespace tpinfer::shard
