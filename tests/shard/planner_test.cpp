// The planner against brute force, and what it promises of weights.
#include "shard/plan/planner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "shard/plan/cost.hpp"
#include "tests/kernels/noise.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

const char* const kOperators[] = {"MatMul", "Add", "Relu", "Softmax", "Transpose"};

// A chain of operators on x (6,10); weights of odd sizes follow the shapes.
BoundGraph chain_of(const std::vector<int>& operators) {
  constexpr std::int64_t kWidths[] = {7, 12, 5, 9, 3, 8};
  std::vector<Node> nodes;
  WeightTable weights;
  Shape shape{6, 10};
  std::string value = "x";
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const std::string name = "n" + std::to_string(i), w = "w" + std::to_string(i);
    std::vector<std::string> inputs{value};
    if (operators[i] == 0) {
      weights[w] = test::weight({shape[1], kWidths[i]});
      shape[1] = kWidths[i];
      inputs.push_back(w);
    } else if (operators[i] == 1) {
      weights[w] = test::weight({shape[1]});
      inputs.push_back(w);
    } else if (operators[i] == 4) {
      std::swap(shape[0], shape[1]);
    }
    nodes.push_back(test::node(kOperators[operators[i]], name, inputs, name + "out"));
    value = name + "out";
  }
  return test::bound({6, 10}, nodes, value, weights);
}

// The least cost over all combinations of decisions; negative when there are more than `limit`.
double brute_force(const BoundGraph& graph, const Mesh& mesh, const PlanOptions& options,
                   std::size_t limit) {
  std::vector<std::vector<Decision>> candidates;
  std::size_t combinations = 1;
  for (const BoundNode& node : graph.nodes) {
    candidates.push_back(candidates_of(graph, node, mesh, options.fastest, {}));
    combinations *= candidates.back().size();
    if (combinations > limit) return -1;
  }
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < combinations; ++c) {
    std::vector<Decision> decisions;
    std::size_t rest = c;
    for (const std::vector<Decision>& of_node : candidates) {
      decisions.push_back(of_node[rest % of_node.size()]);
      rest /= of_node.size();
    }
    const Plan plan = lay_out(graph, mesh, std::move(decisions));
    least = std::min(least, plan_cost(graph, plan, options.costs));
  }
  return least;
}

// Tables under which latency, wire or memory decide.
std::vector<CostTable> tables() {
  CostTable slow_wire, slow_memory;
  for (auto& rows : slow_wire.collectives) {
    for (CollectiveRate& row : rows) row.seconds /= 4000;
  }
  slow_memory.memory_bytes_per_second = 1e8;
  for (auto& rows : slow_memory.collectives) {
    for (CollectiveRate& row : rows) row.seconds /= 400, row.bytes_per_second = 1e10;
  }
  return {CostTable{}, slow_wire, slow_memory};
}

// Compares on every table; returns how many comparisons were within the limit.
int compare(const std::vector<int>& operators, int ranks, std::size_t limit) {
  const BoundGraph graph = chain_of(operators);
  const Mesh mesh{{{"tp", ranks}}};
  int compared = 0;
  for (const CostTable& costs : tables()) {
    for (bool fastest : {false, true}) {
      PlanOptions options;
      options.fastest = fastest;
      options.mesh.tp = {ranks};  // one mesh
      options.costs = costs;
      const double least = brute_force(graph, mesh, options, limit);
      if (least < 0) continue;
      const Plan plan = make_plan(graph, ranks, options);
      const double found = plan_cost(graph, plan, costs);
      EXPECT_TRUE(plan.proven);
      EXPECT_EQ(found, least) << [&] {
        std::string text = std::to_string(ranks) + " ranks:";
        for (int op : operators) text += std::string(" ") + kOperators[op];
        return text;
      }();
      ++compared;
    }
  }
  return compared;
}

TEST(Planner, EqualsBruteForceOnAllShortChains) {
  int compared = 0;
  for (int ranks = 1; ranks <= 4; ++ranks) {
    for (int code = 0; code < 155; ++code) {
      // 5 chains of one operator, 25 of two, 125 of three.
      const int length = code < 5 ? 1 : code < 30 ? 2 : 3;
      int rest = code < 5 ? code : code < 30 ? code - 5 : code - 30;
      std::vector<int> operators;
      for (int i = 0; i < length; ++i, rest /= 5) operators.push_back(rest % 5);
      compared += compare(operators, ranks, 300);
    }
  }
  EXPECT_GT(compared, 3000);
}

TEST(Planner, EqualsBruteForceOnLongerChains) {
  int compared = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    std::vector<int> operators;
    for (std::uint32_t j = 0; j < 4 + i % 3; ++j) {
      operators.push_back(static_cast<int>(tpinfer::test::hash(i, j) % 5));
    }
    compared += compare(operators, 2 + static_cast<int>(i % 3), 1500);
  }
  EXPECT_GT(compared, 60);
}

// A value that is used twice, in two layouts: the planner may pay for one reshard and use both.
TEST(Planner, EqualsBruteForceOnAFork) {
  const BoundGraph graph = test::bound(
      {6, 10},
      {test::node("MatMul", "a", {"x", "w"}, "p"), test::node("Softmax", "s", {"p"}, "q"),
       test::node("Relu", "r", {"p"}, "u"), test::node("Add", "y", {"q", "u"}, "y")},
      "y", {{"w", test::weight({10, 7})}});
  for (int ranks : {2, 3}) {
    for (const CostTable& costs : tables()) {
      PlanOptions options;
      options.costs = costs;
      const double least = brute_force(graph, {{{"tp", ranks}}}, options, 100000);
      ASSERT_GT(least, 0);
      EXPECT_EQ(plan_cost(graph, make_plan(graph, ranks, options), costs), least);
    }
  }
}

TEST(Planner, CutsEveryProductsWeightOverAllRanks) {
  const BoundGraph graph = test::two_layers(4, 100, 37, 11);
  for (int ranks = 2; ranks <= 13; ++ranks) {
    const Plan plan = make_plan(graph, ranks, {});
    std::size_t read = 0;
    for (int id : plan.weights) {
      const Value& value = plan.values[static_cast<std::size_t>(id)];
      if (value.tensor[0] != 'w') continue;
      EXPECT_EQ(value.layout.placements[0].kind, Placement::Kind::shard) << value.tensor;
      for (int rank = 0; rank < ranks; ++rank) read += local_bytes(value, plan.mesh, rank);
    }
    EXPECT_EQ(read, 4u * (100 * 37 + 37 * 11)) << ranks;  // each element on one rank only
  }
}

TEST(Planner, FastestMayKeepWeightsWhole) {
  const BoundGraph graph = test::two_layers(4, 100, 37, 11);
  PlanOptions options;
  options.fastest = true;
  const Plan plan = make_plan(graph, 8, options);
  for (const PlanStep& step : plan.steps) EXPECT_FALSE(is_collective(step.kind));
  EXPECT_EQ(weight_bytes(plan, 0), total_weight_bytes(plan));
}

TEST(Planner, IsDeterministic) {
  const BoundGraph graph = chain_of({0, 1, 2, 0, 4, 0});
  for (int ranks : {1, 3, 8}) {
    EXPECT_EQ(make_plan(graph, ranks, {}).decisions, make_plan(graph, ranks, {}).decisions);
  }
}

// Forced decisions are taken as they are, and the rest is planned around them.
TEST(Planner, KeepsDemands) {
  const BoundGraph graph = test::two_layers(8, 96, 64, 16);
  PlanOptions options;
  options.strategies = {{"fc1", {{1, 2}, {2, 4}}}};
  const Plan plan = make_plan(graph, 8, options);
  ASSERT_EQ(plan.decisions[0].cuts.size(), 2u);
  EXPECT_EQ(plan.decisions[0].cuts[0], (Cut{1, {0}, true}));
  EXPECT_EQ(plan.decisions[0].cuts[1], (Cut{2, {1}, false}));
  options.strategies = {{"matmul", {{1, 3}, {3, 1}}}};
  EXPECT_THROWN(make_plan(graph, 8, options), 64, "which 3 does not divide");
}

}  // namespace
}  // namespace tpinfer::shard
