// Golden texts of plans: what is cut, what moves, how many bytes. Every line was checked by hand.
#include "shard/plan/plan_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

std::string plan_text(const BoundGraph& graph, int ranks) {
  const Plan plan = make_plan(graph, ranks, {});
  return "\n" + describe_plan(graph, plan) + summarize_collectives(plan) + "\n";
}

// 20 hidden units: 16 leaves, which 3 ranks share as 5, 5 and 6.
BoundGraph mlp() { return test::two_layers(4, 24, 20, 7); }

TEST(PlanText, TwoLayersOnOneRank) {
  EXPECT_EQ(plan_text(mlp(), 1), R"(
mesh tp 1
  MatMul         fc1: x(4,24)[R], w1(24,20)[R] -> p(4,20)[R] (whole)
  Add            add1: p(4,20)[R], b1(20,)[R] -> q(4,20)[R] (whole)
  Relu           relu: q(4,20)[R] -> h(4,20)[R] (whole)
  MatMul         fc2: h(4,20)[R], w2(20,7)[R] -> r(4,7)[R] (whole)
  Add            add2: r(4,7)[R], b2(7,)[R] -> y(4,7)[R] (whole)
no collectives
)");
}

// The Megatron pair: columns, then rows, and one sum.
TEST(PlanText, TwoLayersOnTwoRanks) {
  EXPECT_EQ(plan_text(mlp(), 2), R"(
mesh tp 2
  MatMul         fc1: x(4,24)[R], w1(24,20)[S1] -> p(4,20)[S1] (cut n/2)
  Add            add1: p(4,20)[S1], b1(20,)[S0] -> q(4,20)[S1] (cut n/2)
  Relu           relu: q(4,20)[S1] -> h(4,20)[S1] (cut _0/2)
  MatMul         fc2: h(4,20)[S1], w2(20,7)[S0] -> r(4,7)[P] (cut k/2)
  all-reduce     r(4,7)[P] -> r(4,7)[R] (2 ranks, 112 bytes)
  Add            add2: r(4,7)[R], b2(7,)[R] -> y(4,7)[R] (whole)
1 collective, 112 bytes: 1 all-reduce 112 bytes
)");
}

// The columns are cut where the rows of the next layer must be: at leaves of its sum.
TEST(PlanText, TwoLayersOnThreeRanks) {
  EXPECT_EQ(plan_text(mlp(), 3), R"(
mesh tp 3
  MatMul         fc1: x(4,24)[R], w1(24,20)[S1/leaf] -> p(4,20)[S1/leaf] (cut n/3)
  Add            add1: p(4,20)[S1/leaf], b1(20,)[S0/leaf] -> q(4,20)[S1/leaf] (cut n/3)
  Relu           relu: q(4,20)[S1/leaf] -> h(4,20)[S1/leaf] (cut _0/3)
  MatMul         fc2: h(4,20)[S1/leaf], w2(20,7)[S0/leaf] -> r(4,7)[P] (cut k/3)
  all-reduce     r(4,7)[P] -> r(4,7)[R] (3 ranks, 112 bytes)
  Add            add2: r(4,7)[R], b2(7,)[R] -> y(4,7)[R] (whole)
1 collective, 112 bytes: 1 all-reduce 112 bytes
)");
}

TEST(PlanText, TwoLayersOnEightRanks) {
  EXPECT_EQ(plan_text(mlp(), 8), R"(
mesh tp 8
  MatMul         fc1: x(4,24)[R], w1(24,20)[S1] -> p(4,20)[S1] (cut n/8)
  Add            add1: p(4,20)[S1], b1(20,)[S0] -> q(4,20)[S1] (cut n/8)
  Relu           relu: q(4,20)[S1] -> h(4,20)[S1] (cut _0/8)
  MatMul         fc2: h(4,20)[S1], w2(20,7)[S0] -> r(4,7)[P] (cut k/8)
  all-reduce     r(4,7)[P] -> r(4,7)[R] (8 ranks, 112 bytes)
  Add            add2: r(4,7)[R], b2(7,)[R] -> y(4,7)[R] (whole)
1 collective, 112 bytes: 1 all-reduce 112 bytes
)");
}

TEST(PlanText, OneProductEndsInAGather) {
  EXPECT_EQ(plan_text(test::matmul_neg(), 8), R"(
mesh tp 8
  MatMul         fc: x(128,96)[R], w(96,16)[S1] -> p(128,16)[S1] (cut n/8)
  Neg            neg: p(128,16)[S1] -> y(128,16)[S1] (cut _0/8)
  all-gather     y(128,16)[S1] -> y(128,16)[R] (8 ranks, 8192 bytes)
1 collective, 8192 bytes: 1 all-gather 8192 bytes
)");
}

// A pair, then a last layer cut by columns: one reduction and one gather.
TEST(PlanText, ThreeLayersOnEightRanks) {
  const BoundGraph graph = test::bound(
      {4, 24},
      {test::node("MatMul", "fc1", {"x", "w1"}, "p"), test::node("Relu", "relu1", {"p"}, "q"),
       test::node("MatMul", "fc2", {"q", "w2"}, "r"), test::node("Relu", "relu2", {"r"}, "s"),
       test::node("MatMul", "fc3", {"s", "w3"}, "y")},
      "y",
      {{"w1", test::weight({24, 32})},
       {"w2", test::weight({32, 24})},
       {"w3", test::weight({24, 64})}});
  EXPECT_EQ(plan_text(graph, 8), R"(
mesh tp 8
  MatMul         fc1: x(4,24)[R], w1(24,32)[S1] -> p(4,32)[S1] (cut n/8)
  Relu           relu1: p(4,32)[S1] -> q(4,32)[S1] (cut _0/8)
  MatMul         fc2: q(4,32)[S1], w2(32,24)[S0] -> r(4,24)[P] (cut k/8)
  all-reduce     r(4,24)[P] -> r(4,24)[R] (8 ranks, 384 bytes)
  Relu           relu2: r(4,24)[R] -> s(4,24)[R] (whole)
  MatMul         fc3: s(4,24)[R], w3(24,64)[S1] -> y(4,64)[S1] (cut n/8)
  all-gather     y(4,64)[S1] -> y(4,64)[R] (8 ranks, 1024 bytes)
2 collectives, 1408 bytes: 1 all-gather 1024 bytes, 1 all-reduce 384 bytes
)");
}

// Two query heads for each of 4 key/value heads, which 3 ranks share as 1, 1 and 2.
BoundGraph attention() {
  const Attributes heads{{"g", std::int64_t{4}},
                         {"r", std::int64_t{2}},
                         {"e", std::int64_t{8}},
                         {"f", std::int64_t{8}}};
  return test::bound({5, 48},
                     {test::node("Heads", "q", {"x", "wq"}, "qs", heads),
                      test::node("SharedHeads", "k", {"x", "wk"}, "ks", heads),
                      test::node("SharedHeads", "v", {"x", "wv"}, "vs", heads),
                      test::node("Attention", "mix", {"qs", "ks", "vs"}, "z"),
                      test::node("Merge", "merge", {"z"}, "u"),
                      test::node("Project", "o", {"u", "wo"}, "y", heads)},
                     "y",
                     {{"wq", test::weight({48, 64})},
                      {"wk", test::weight({48, 32})},
                      {"wv", test::weight({48, 32})},
                      {"wo", test::weight({64, 48})}});
}

TEST(PlanText, GroupedQueryAttentionOnThreeRanks) {
  EXPECT_EQ(plan_text(attention(), 3), R"(
mesh tp 3
  Heads          q: x(5,48)[R], wq(48,64)[S1/16] -> qs(5,4,2,8)[S1] (cut g/3)
  SharedHeads    k: x(5,48)[R], wk(48,32)[S1/8] -> ks(5,4,8)[S1] (cut g/3)
  SharedHeads    v: x(5,48)[R], wv(48,32)[S1/8] -> vs(5,4,8)[S1] (cut g/3)
  Attention      mix: qs(5,4,2,8)[S1], ks(5,4,8)[S1], vs(5,4,8)[S1] -> z(5,4,2,8)[S1] (cut g/3)
  Merge          merge: z(5,4,2,8)[S1] -> u(5,64)[S1/16] (cut g/3)
  Project        o: u(5,64)[S1/16], wo(64,48)[S0/16] -> y(5,48)[P] (cut g/3)
  all-reduce     y(5,48)[P] -> y(5,48)[R] (3 ranks, 960 bytes)
1 collective, 960 bytes: 1 all-reduce 960 bytes
)");
}

// What the ranks hold of it: heads are never cut, and every rank has whole leaves of the sum.
TEST(PlanText, GroupedQueryAttentionBoxes) {
  const BoundGraph graph = attention();
  const Plan plan = make_plan(graph, 3, {});
  auto boxes = [&](const std::string& tensor) {
    std::string text;
    for (const Value& value : plan.values) {
      if (value.tensor != tensor || value.layout.replicated()) continue;
      for (int r = 0; r < 3; ++r) {
        text += (r ? " " : "") + to_text(local_box(value.shape, value.layout, plan.mesh, r));
      }
      break;
    }
    return text;
  };
  EXPECT_EQ(boxes("wq"), "[0:48,0:16] [0:48,16:32] [0:48,32:64]");
  EXPECT_EQ(boxes("wk"), "[0:48,0:8] [0:48,8:16] [0:48,16:32]");
  EXPECT_EQ(boxes("z"), "[0:5,0:1,0:2,0:8] [0:5,1:2,0:2,0:8] [0:5,2:4,0:2,0:8]");
  EXPECT_EQ(boxes("wo"), "[0:16,0:48] [16:32,0:48] [32:64,0:48]");
  const auto roots = roots_of_sum(graph, plan, plan.steps.back(), 1);
  EXPECT_EQ(roots, (std::vector<std::vector<Range>>{{{0, 1}}, {{1, 2}}, {{2, 4}}}));
}

// A two-dimensional strategy: collectives name the axis along which they go.
TEST(PlanText, TwoAxes) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.strategies = {{"fc", {{1, 2}, {2, 4}}}};
  const Plan plan = make_plan(graph, 8, options);
  EXPECT_EQ("\n" + describe_plan(graph, plan), R"(
mesh tp0 2 x tp1 4
  narrow         x(128,96)[R R] -> x(128,96)[S1 R]
  MatMul         fc: x(128,96)[S1 R], w(96,16)[S0 S1] -> p(128,16)[P S1] (cut k/2, n/4)
  all-reduce     p(128,16)[P S1] -> p(128,16)[R S1] (2 ranks along tp0, 2048 bytes)
  Neg            neg: p(128,16)[R S1] -> y(128,16)[R S1] (cut _0/4)
  all-gather     y(128,16)[R S1] -> y(128,16)[R R] (4 ranks along tp1, 8192 bytes)
)");
}

TEST(PlanText, Graphs) {
  EXPECT_EQ(describe_graph(attention()),
            "Heads q: x(5,48), wq(48,64) -> qs(5,4,2,8) e=8 f=8 g=4 r=2\n"
            "SharedHeads k: x(5,48), wk(48,32) -> ks(5,4,8) e=8 f=8 g=4 r=2\n"
            "SharedHeads v: x(5,48), wv(48,32) -> vs(5,4,8) e=8 f=8 g=4 r=2\n"
            "Attention mix: qs(5,4,2,8), ks(5,4,8), vs(5,4,8) -> z(5,4,2,8)\n"
            "Merge merge: z(5,4,2,8) -> u(5,64)\n"
            "Project o: u(5,64), wo(64,48) -> y(5,48) e=8 f=8 g=4 r=2\n");
}

TEST(PlanText, ExplainsWhatIsNotCut) {
  const BoundGraph graph = test::two_layers(4, 24, 20, 7);
  auto has = [&](int ranks, const std::string& line) {
    const std::vector<std::string> lines = explain_plan(graph, make_plan(graph, ranks, {}));
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  EXPECT_TRUE(has(8, "weight w1 (24,20) [S1]: cut"));
  EXPECT_TRUE(has(8,
                  "weight b2 (7,) [R]: whole on every rank (28 bytes): used where its operator "
                  "runs whole"));
  EXPECT_TRUE(has(8, "Add add2: computed whole on every rank"));
  // 16 leaves for 18 ranks: two hold nothing.
  EXPECT_TRUE(has(18,
                  "weight w2 (20,7) [S0/leaf]: 2 of 18 ranks hold nothing of it: fewer units "
                  "than ranks"));
  EXPECT_TRUE(explain_plan(graph, make_plan(graph, 1, {})).size() == 4);
}

}  // namespace
}  // namespace tpinfer::shard
