// Planning for what nobody has in memory here: a transformer of 80 layers on 64 ranks.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "shard/plan/cost.hpp"
#include "shard/plan/planner.hpp"
#include "shard/plan/predict.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

// Grouped-query attention and a gated MLP per layer, 13 operators; about 70e9 weights at 80 layers.
BoundGraph transformer(int layers, std::int64_t tokens) {
  constexpr std::int64_t kWidth = 8192, kHidden = 28672;
  const Attributes heads{{"g", std::int64_t{8}},
                         {"r", std::int64_t{8}},
                         {"e", std::int64_t{128}},
                         {"f", std::int64_t{128}}};
  std::vector<Node> nodes;
  WeightTable weights;
  std::string x = "x";
  for (int l = 0; l < layers; ++l) {
    const std::string at = "l" + std::to_string(l) + ".";
    auto add = [&](const char* op, const char* name, std::vector<std::string> inputs,
                   Attributes attributes = {}) {
      for (std::string& input : inputs) input = input == "x" ? x : at + input;
      nodes.push_back(test::node(op, at + name, std::move(inputs), at + name, attributes));
    };
    weights[at + "wq"] = test::weight({kWidth, 8192});
    weights[at + "wk"] = test::weight({kWidth, 1024});
    weights[at + "wv"] = test::weight({kWidth, 1024});
    weights[at + "wo"] = test::weight({8192, kWidth});
    weights[at + "wg"] = test::weight({kWidth, kHidden});
    weights[at + "wu"] = test::weight({kWidth, kHidden});
    weights[at + "wd"] = test::weight({kHidden, kWidth});
    add("Softmax", "norm1", {"x"});  // whole rows, as a normalisation
    add("Heads", "q", {"norm1", "wq"}, heads);
    add("SharedHeads", "k", {"norm1", "wk"}, heads);
    add("SharedHeads", "v", {"norm1", "wv"}, heads);
    add("Attention", "mix", {"q", "k", "v"});
    add("Merge", "merge", {"mix"});
    add("Project", "o", {"merge", "wo"}, heads);
    add("Add", "sum1", {"x", "o"});
    x = at + "sum1";
    add("Softmax", "norm2", {"x"});
    add("MatMul", "gate", {"norm2", "wg"});
    add("MatMul", "up", {"norm2", "wu"});
    add("Relu", "act", {"gate"});
    add("Add", "both", {"act", "up"});
    add("MatMul", "down", {"both", "wd"});
    add("Add", "sum2", {"x", "down"});
    x = at + "sum2";
  }
  return test::bound({tokens, kWidth}, nodes, x, weights);
}

// Weights, and the activations that are alive at once, of the rank with the most.
RankNeed need_of(const BoundGraph&, const Plan& plan) {
  RankNeed need;
  for (int r = 0; r < plan.mesh.size(); ++r) {
    need.weights = std::max(need.weights, static_cast<std::int64_t>(weight_bytes(plan, r)));
  }
  for (const Value& value : plan.values) {
    need.activations =
        std::max(need.activations, 4 * largest_part(value.shape, value.layout, plan.mesh));
  }
  return need;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(LargeModel, IsPlannedInSeconds) {
  const BoundGraph graph = transformer(80, 16);
  for (bool fastest : {false, true}) {
    const auto start = std::chrono::steady_clock::now();
    PlanOptions options;
    options.fastest = fastest;
    const Plan plan = make_plan(graph, 64, options);
    EXPECT_LT(seconds_since(start), 20);  // two of them are usual
    EXPECT_TRUE(plan.proven);
    // One axis of 64 ranks can divide the projections of 8 heads into 16 leaves only; a grid of two
    // axes, which `fastest` may choose, divides them evenly.
    EXPECT_LE(weight_bytes(plan, 63), total_weight_bytes(plan) / (fastest ? 60 : 48));
  }
}

// A network so slow that weights had better stay whole, as far as there is memory.
TEST(LargeModel, KeepsAMemoryLimit) {
  const BoundGraph graph = transformer(80, 16);
  PlanOptions options;
  options.fastest = true;
  for (auto& rows : options.costs.collectives) {
    for (CollectiveRate& row : rows) row.seconds = 1;
  }
  options.mesh.tp = {64};
  double before = 0;
  for (std::int64_t gib : {400, 100, 30, 8}) {
    options.memory = {gib << 30, need_of};
    const Plan plan = make_plan(graph, 64, options);
    const double cost = plan_cost(graph, plan, options.costs);
    EXPECT_LE(need_of(graph, plan).all(), gib << 30);
    EXPECT_GT(cost, before);
    before = cost;
  }
}

// Three axes of four: too many ways to keep three tensors.
TEST(LargeModel, SaysWhenItIsNotProven) {
  const BoundGraph graph = transformer(60, 16);
  PlanOptions options;
  options.fastest = true;
  options.mesh.tp = {4, 4, 4};
  const auto start = std::chrono::steady_clock::now();
  const Plan plan = make_plan(graph, 64, options);
  EXPECT_LT(seconds_since(start), 60);
  EXPECT_FALSE(plan.proven);
  EXPECT_NE(
      summarize_prediction(graph, plan, options, 1, 0).find("; not proven to be the cheapest"),
      std::string::npos);
  options.mesh.tp = {64};
  const Plan one = make_plan(graph, 64, options);
  EXPECT_TRUE(one.proven);
  EXPECT_LE(plan_cost(graph, plan, {}),
            plan_cost(graph, one, {}));  // its plans are among the others
}

TEST(LargeModel, SaysWhereItWouldFit) {
  const BoundGraph graph = transformer(80, 16);
  const auto start = std::chrono::steady_clock::now();
  PlanOptions options;
  options.memory = {std::int64_t{8} << 30, need_of};
  EXPECT_THROWN(make_plan(graph, 16, options), 71, "it would fit on 64 ranks");
  EXPECT_LT(seconds_since(start), 20);
}

}  // namespace
}  // namespace tpinfer::shard
