// What is told of a plan: traffic, idle ranks, unequal ranks, reasons; worked out by hand.
#include "shard/plan/predict.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "shard/plan/cost.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/reasons.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

// A machine whose ranks share one core and one path to memory, with fast collectives.
CostTable one_core() {
  CostTable costs;
  costs.compute_ranks_per_node = costs.memory_ranks_per_node = 1;
  for (auto& rows : costs.collectives) rows = {{2, 1, 2e-6, 1e10}};
  return costs;
}

PlanOptions fastest(const CostTable& costs) {
  PlanOptions options;
  options.fastest = true;
  options.costs = costs;
  return options;
}

TEST(Predict, TrafficOfAGather) {
  // y (128,16) on 5 ranks: 3, 3, 3, 3 and 4 columns, each sent to 4 others.
  const BoundGraph graph = test::matmul_neg();
  const std::vector<Traffic> traffic = traffic_of(graph, make_plan(graph, 5, {}));
  ASSERT_EQ(traffic.size(), 5u);
  EXPECT_EQ(traffic[0].calls, 1);
  EXPECT_EQ(traffic[0].bytes_sent, 128 * 3 * 4 * 4);
  EXPECT_EQ(traffic[4].bytes_sent, 128 * 4 * 4 * 4);
}

TEST(Predict, TrafficOfSums) {
  // r (4,7) on 3 ranks, which have 5, 5 and 6 of 16 leaves: 2, 3 and 2 subtrees.
  const BoundGraph graph = test::two_layers(4, 24, 20, 7);
  const Plan plan = make_plan(graph, 3, {});
  const std::vector<Traffic> traffic = traffic_of(graph, plan);
  const PlanStep& sum = *std::find_if(plan.steps.begin(), plan.steps.end(), [](const PlanStep& s) {
    return s.kind == PlanStep::Kind::all_reduce;
  });
  const auto roots = roots_of_sum(graph, plan, sum, 0);
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(traffic[r].calls, 1);
    EXPECT_EQ(traffic[r].bytes_sent, static_cast<std::int64_t>(roots[r].size()) * 4 * 7 * 4 * 2);
  }
  // A large one travels in slices: 8 roots, to each other rank its eighth, then the own eighth.
  const BoundGraph large = test::two_layers(64, 512, 512, 512);
  std::vector<Decision> decisions = make_plan(large, 8, {}).decisions;
  decisions[3] = {{{1, {0}, true}}, {}, {}, 0};  // k cut, the sum whole
  decisions[4] = {};                             // the bias added by all
  const Plan whole = lay_out(large, {{{"tp", 8}}}, decisions);
  EXPECT_NE(summarize_collectives(whole).find("all-reduce"), std::string::npos);
  const std::vector<Traffic> sliced = traffic_of(large, whole);
  EXPECT_EQ(sliced[0].calls, 2);
  EXPECT_EQ(sliced[0].bytes_sent, 64 * 512 * 4 / 8 * 7 * 2);
}

TEST(Predict, MicroBatchesFollowAtThePaceOfTheSlowestStage) {
  const BoundGraph graph = test::two_layers(4, 100, 37, 11);
  PlanOptions options;
  options.mesh.pp = 2;
  const Plan plan = make_plan(graph, 2, options);
  const double one = predicted_seconds(graph, plan, {}, 1);
  EXPECT_EQ(one, seconds_of(plan_cost(graph, plan, {})));
  const double more = predicted_seconds(graph, plan, {}, 3) - one;
  EXPECT_GE(more, one * 0.99);  // twice the slower of two stages
  EXPECT_LT(more, 2 * one);
}

TEST(Predict, IdleRanksSaySo) {
  const BoundGraph graph = test::two_layers(4, 24, 20, 7);
  EXPECT_EQ(idle_ranks(graph, make_plan(graph, 16, {})), std::vector<std::string>{});
  // One matrix of 7 columns on 10 ranks.
  const BoundGraph narrow = test::bound({1, 5}, {test::node("MatMul", "fc", {"x", "w"}, "y")}, "y",
                                        {{"w", test::weight({5, 7})}});
  PlanOptions columns;
  columns.strategies = {{"fc", {{1, 1}, {1, 10}}}};
  columns.uneven = true;
  EXPECT_EQ(idle_ranks(narrow, make_plan(narrow, 10, columns)),
            std::vector<std::string>{"ranks 0, 3, 6 have nothing to do: fewer units than ranks"});
  PlanOptions weights;
  weights.mesh.rank_weights = {1, 0, 0, 1};
  EXPECT_EQ(idle_ranks(graph, make_plan(graph, 4, weights)),
            std::vector<std::string>{"ranks 1 to 2 have nothing to do: the mesh gives no share"});
}

// Seven ranks that would only take the eighth's core are left idle; where there is work for all,
// and a core for each, all work.
TEST(Predict, FastestLeavesRanksIdle) {
  const BoundGraph tiny = test::two_layers(4, 200, 200, 4);
  const Plan plan = make_plan(tiny, 8, fastest(one_core()));
  EXPECT_EQ(to_text(plan.mesh), "tp 8 (1:0:0:0:0:0:0:0)");
  EXPECT_EQ(idle_ranks(tiny, plan),
            std::vector<std::string>{"ranks 1 to 7 have nothing to do: the mesh gives no share"});
  EXPECT_EQ(weight_bytes(plan, 3), 4u * 4);  // b2: the last addition is repeated by all
  const BoundGraph big = test::two_layers(256, 4096, 4096, 512);
  const Plan all = make_plan(big, 8, fastest({}));
  EXPECT_EQ(idle_ranks(big, all), std::vector<std::string>{});
  for (int r = 0; r < 8; ++r) EXPECT_GT(weight_bytes(all, r), 0u);
}

// Three times as fast, three times the part: to a grain, and a leaf of a sum is a grain.
TEST(Predict, RankWeightsShareTheWork) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.mesh.rank_weights = {3, 1};
  const Plan plan = make_plan(graph, 2, options);
  EXPECT_EQ(weight_bytes(plan, 0), 96u * 12 * 4);
  EXPECT_EQ(weight_bytes(plan, 1), 96u * 4 * 4);
  EXPECT_NE(to_text(plan.mesh).find("tp 2 (3:1)"), std::string::npos);
  // The slow rank needs as long for its quarter as the fast one for its three.
  const Cut columns{2, {0}, false};
  const double unequal = compute_cost(graph, graph.nodes[0], {columns}, plan.mesh, {});
  const double equal = compute_cost(graph, graph.nodes[0], {columns}, {{{"tp", 2}}}, {});
  EXPECT_GT(unequal, equal);  // than two fast ones
  EXPECT_EQ(speed_of(plan.mesh, 0), 1);
  EXPECT_EQ(speed_of(plan.mesh, 1), 1.0 / 3);
  // Whole on both, the slow one decides.
  EXPECT_GT(compute_cost(graph, graph.nodes[0], {}, plan.mesh, {}),
            2.9 * compute_cost(graph, graph.nodes[0], {}, {{{"tp", 2}}}, {}) - 3e6);
}

TEST(Predict, EveryCountOfRanksOverAwkwardExtents) {
  for (std::int64_t columns : {7, 10, 48, 105, 172}) {
    for (std::int64_t rows : {1, 3}) {
      const BoundGraph graph = test::two_layers(rows, columns, 3 * columns, columns);
      for (int ranks = 1; ranks <= 16; ++ranks) {
        const Plan plan = make_plan(graph, ranks, {});
        EXPECT_TRUE(plan.proven);
        for (const Value& value : plan.values) {
          for (std::size_t d = 0; d < value.shape.size(); ++d) {
            if (value.layout.axes_of(static_cast<int>(d)).empty()) continue;
            const Division division = value.layout.divisions[d];
            // A leaf of a cut sum is one grain.
            const std::int64_t grain =
                division.by_leaf ? (value.shape[d] + 15) / 16 : division.grain;
            std::int64_t least = value.shape[d], most = 0, sum = 0;
            for (int r = 0; r < ranks; ++r) {
              const Range part = divide(value.shape[d], plan.mesh, {0}, r, division);
              EXPECT_EQ(part.begin, sum);
              sum = part.end;
              least = std::min(least, part.size());
              most = std::max(most, part.size());
            }
            EXPECT_EQ(sum, value.shape[d]);
            EXPECT_LE(most - least, 2 * grain - 1) << value.tensor << " on " << ranks;
            if (!division.by_leaf) {
              EXPECT_LE(most - least, grain);
            }
          }
        }
      }
    }
  }
}

std::string reason_of(const BoundGraph& graph, int ranks, const PlanOptions& options,
                      const std::string& node) {
  for (const std::string& line : reasons(graph, make_plan(graph, ranks, options), options)) {
    if (line.starts_with(node)) return line;
  }
  return "";
}

TEST(Reasons, NameTheRunnerUpOrTheRule) {
  const BoundGraph graph = test::two_layers(512, 1024, 1024, 512);
  EXPECT_EQ(reasons(graph, make_plan(graph, 1, {}), {}), std::vector<std::string>{});
  const std::string fc1 = reason_of(graph, 8, {}, "MatMul fc1");
  EXPECT_TRUE(fc1.starts_with("MatMul fc1: cut n/8, ")) << fc1;
  EXPECT_NE(fc1.find("; next best: "), fc1.npos) << fc1;
  const BoundGraph small = test::two_layers(4, 100, 37, 11);
  const std::string kept = reason_of(small, 8, {}, "MatMul fc2");
  EXPECT_NE(kept.find("; --plan cut rules out: whole, -"), kept.npos) << kept;
  PlanOptions strategy;
  strategy.strategies = {{"fc1", {{1, 1}, {1, 8}}}};
  const std::string said = reason_of(graph, 8, strategy, "MatMul fc1");
  EXPECT_NE(said.find("cut n/8, "), said.npos) << said;
  EXPECT_NE(said.find("; its strategy says so"), said.npos) << said;
  PlanOptions batch;
  batch.mesh.dp = 2;
  batch.batch_inputs = {"x"};
  const std::string rows = reason_of(graph, 8, batch, "MatMul fc1");
  EXPECT_NE(rows.find("; dp cuts m"), rows.npos) << rows;
  const BoundGraph softmax = test::bound({1, 9}, {test::node("Softmax", "s", {"x"}, "y")}, "y", {});
  EXPECT_EQ(reason_of(softmax, 2, {}, "Softmax s").substr(0, 17), "Softmax s: whole,");
}

// The runner-up's price is what a plan costs in which it is forced.
TEST(Reasons, RunnerUpsAreTrue) {
  const BoundGraph graph = test::two_layers(512, 1024, 1024, 512);
  const Plan plan = make_plan(graph, 4, {});
  PlanOptions forced;
  double least = 1e300;
  for (const Strategy& other : {Strategy{{1, 4}, {4, 1}}, Strategy{{1, 1}, {1, 4}}}) {
    forced.strategies = {{"fc1", other}};
    const Plan one = make_plan(graph, 4, forced);
    if (one.decisions[0].cuts == plan.decisions[0].cuts) continue;
    least = std::min(least, plan_cost(graph, one, {}));
  }
  const double more = least - plan_cost(graph, plan, {});
  const std::string line = reason_of(graph, 4, {}, "MatMul fc1");
  EXPECT_NE(line.find("+" + duration_text(seconds_of(more))), line.npos)
      << line << " but forced it is " << duration_text(seconds_of(more));
}

TEST(Reasons, Durations) {
  EXPECT_EQ(duration_text(0), "0.00 ns");
  EXPECT_EQ(duration_text(8.5e-7), "850 ns");
  EXPECT_EQ(duration_text(1.234e-5), "12.3 us");
  EXPECT_EQ(duration_text(9.996e-3), "10.0 ms");
  EXPECT_EQ(duration_text(0.9996), "1.00 s");
  EXPECT_EQ(duration_text(123.456), "123.46 s");
}

}  // namespace
}  // namespace tpinfer::shard
