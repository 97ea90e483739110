// The planner against all combinations of decisions: chains of six operators, residual blocks,
// meshes of two axes and of idle ranks, memory limits.
// TPINFER_BRUTE_FORCE=all: all 140625 chains instead of a sample (minutes).
#include "tests/shard/brute_force.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "shard/plan/search.hpp"
#include "tests/kernels/noise.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

using test::BruteForce;
using tpinfer::test::hash;

const char* const kOperators[] = {"MatMul", "Add", "Relu", "Softmax", "Transpose"};

struct Sizes {
  Shape x;
  std::int64_t widths[6];
};

// Small odd extents; extents where transfers and arithmetic are of one magnitude; a single row.
const Sizes kSizes[] = {{{6, 10}, {7, 12, 5, 9, 3, 8}},
                        {{512, 384}, {1024, 320, 768, 96, 640, 2048}},
                        {{1, 172}, {105, 48, 10, 7, 172, 3}}};

// A chain of six operators, the digits of `code` in base 5.
BoundGraph chain_of(int code, const Sizes& sizes) {
  std::vector<Node> nodes;
  WeightTable weights;
  Shape shape = sizes.x;
  std::string value = "x";
  for (std::size_t i = 0; i < 6; ++i, code /= 5) {
    const int op = code % 5;
    const std::string name = "n" + std::to_string(i), w = "w" + std::to_string(i);
    std::vector<std::string> inputs{value};
    if (op == 0) {
      weights[w] = test::weight({shape[1], sizes.widths[i]});
      shape[1] = sizes.widths[i];
      inputs.push_back(w);
    } else if (op == 1) {
      weights[w] = test::weight({shape[1]});
      inputs.push_back(w);
    } else if (op == 4) {
      std::swap(shape[0], shape[1]);
    }
    nodes.push_back(test::node(kOperators[op], name, inputs, name + "out"));
    value = name + "out";
  }
  return test::bound(sizes.x, nodes, value, weights);
}

// One mesh of one axis, all decisions.
PlanOptions one_axis(int ranks) {
  PlanOptions options;
  options.fastest = true;
  options.mesh.tp = {ranks};
  return options;
}

bool agrees(const BoundGraph& graph, const Mesh& mesh, int ranks, const PlanOptions& options) {
  const Plan plan = make_plan(graph, ranks, options);
  const double least = BruteForce(graph, mesh, options.fastest, options.costs).least();
  EXPECT_TRUE(plan.proven);
  EXPECT_EQ(plan_cost(graph, plan, options.costs), least);
  return plan.proven && plan_cost(graph, plan, options.costs) == least;
}

TEST(BruteForce, AllChainsOfSixOperators) {
  const char* wanted = std::getenv("TPINFER_BRUTE_FORCE");
  const bool all = wanted && std::string(wanted) == "all";
  constexpr int kCodes = 15625, kCases = kCodes * 9;
  const int count = all ? kCases : 6000;
  int right = 0;
  for (int i = 0; i < count && !HasFailure(); ++i) {
    const int number = all ? i : static_cast<int>(hash(7, static_cast<std::uint32_t>(i)) % kCases);
    const int code = number / 9, ranks = 2 + number % 3;
    const BoundGraph graph = chain_of(code, kSizes[number / 3 % 3]);
    right += agrees(graph, {{{"tp", ranks}}}, ranks, one_axis(ranks));
    EXPECT_FALSE(HasFailure()) << "case " << number;
  }
  EXPECT_EQ(right, count);
}

// As `--plan cut` plans, and under another table.
TEST(BruteForce, ChainsWithEveryWeightCut) {
  for (std::uint32_t i = 0; i < 1000 && !HasFailure(); ++i) {
    const int ranks = 2 + static_cast<int>(i % 3);
    const BoundGraph graph = chain_of(static_cast<int>(hash(11, i) % 15625), kSizes[i / 3 % 3]);
    PlanOptions options;
    if (i % 2) {
      options.costs.memory_bytes_per_second = 1e8;
      for (auto& rows : options.costs.collectives) {
        for (CollectiveRate& row : rows) row.seconds /= 100;
      }
    }
    EXPECT_TRUE(agrees(graph, {{{"tp", ranks}}}, ranks, options)) << i;
  }
}

// Residual blocks: at any time up to three tensors that are still needed.
BoundGraph block(std::uint32_t seed) {
  std::vector<Node> nodes;
  WeightTable weights;
  std::vector<std::string> live{"x"};
  std::uint32_t n = 0;
  auto chance = [&](std::uint32_t of) { return hash(seed, 97 * n + of) % of; };
  for (; n < 7; ++n) {
    const std::string name = "n" + std::to_string(n), w = "w" + std::to_string(n);
    const std::size_t at = chance(static_cast<std::uint32_t>(live.size()));
    const std::string from = live[at];
    const std::uint32_t kind = chance(7);
    if (live.size() > 1 && (kind < 2 || n >= 5)) {
      const std::size_t other = (at + 1) % live.size();
      nodes.push_back(test::node("Add", name, {from, live[other]}, name + "out"));
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(other));
      live[at < other ? at : at - 1] = name + "out";
      continue;
    }
    std::vector<std::string> inputs{from};
    if (kind < 5) {
      weights[w] = test::weight({12, 12});
      inputs.push_back(w);
    }
    nodes.push_back(test::node(kind < 5    ? "MatMul"
                               : kind == 5 ? "Relu"
                                           : "Softmax",
                               name, inputs, name + "out"));
    if (live.size() < 3 && n < 4 && chance(3) < 2) {
      live.push_back(name + "out");  // `from` stays
    } else {
      live[at] = name + "out";
    }
  }
  while (live.size() > 1) {
    const std::string name = "sum" + std::to_string(live.size());
    nodes.push_back(test::node("Add", name, {live[live.size() - 2], live.back()}, name + "out"));
    live.pop_back();
    live.back() = name + "out";
  }
  return test::bound({seed % 2 ? 9 : 300, 12}, nodes, live[0], weights);
}

TEST(BruteForce, ResidualBlocks) {
  for (std::uint32_t seed = 0; seed < 300 && !HasFailure(); ++seed) {
    const int ranks = 2 + static_cast<int>(seed % 3);
    PlanOptions options = one_axis(ranks);
    options.fastest = seed % 4 != 0;
    EXPECT_TRUE(agrees(block(seed), {{{"tp", ranks}}}, ranks, options)) << "seed " << seed;
  }
}

// What the planner tries with --plan fastest: the least of all meshes.
TEST(BruteForce, AllMeshes) {
  for (std::uint32_t i = 0; i < 120 && !HasFailure(); ++i) {
    const Sizes& sizes = kSizes[i % 3];
    const BoundGraph graph = test::bound(
        sizes.x,
        {test::node("MatMul", "a", {"x", "w"}, "p"), test::node("Relu", "r", {"p"}, "q"),
         test::node(i % 2 ? "Softmax" : "Relu", "s", {"q"}, "t"),
         test::node("MatMul", "b", {"t", "v"}, "y")},
        "y",
        {{"w", test::weight({sizes.x[1], sizes.widths[i / 3 % 6]})},
         {"v", test::weight({sizes.widths[i / 3 % 6], 40})}});
    PlanOptions options;
    options.fastest = true;
    options.costs.compute_ranks_per_node = i % 5;
    options.costs.memory_ranks_per_node = i / 5 % 3;
    const int ranks = 4 + static_cast<int>(i / 24);  // 4 to 8
    double least = std::numeric_limits<double>::infinity();
    for (const Mesh& mesh : meshes_for(options, {{}, {}, {}, {}}, ranks)) {
      least = std::min(least, BruteForce(graph, mesh, true, options.costs).least());
    }
    const Plan plan = make_plan(graph, ranks, options);
    EXPECT_TRUE(plan.proven);
    EXPECT_EQ(plan_cost(graph, plan, options.costs), least) << i;
  }
}

// Every plan of the front is the cheapest of those that need no more bytes.
TEST(BruteForce, PlansWithinBytes) {
  std::size_t plans = 0;
  for (std::uint32_t i = 0; i < 200 && !HasFailure(); ++i) {
    const int ranks = 2 + static_cast<int>(i % 3);
    const BoundGraph graph =
        i % 4 ? chain_of(static_cast<int>(hash(5, i) % 15625), kSizes[i % 3]) : block(i);
    const Mesh mesh{{{"tp", ranks}}};
    const PlanOptions options = one_axis(ranks);
    const std::vector<std::optional<FactorCuts>> demands(graph.nodes.size());
    Moves moves(graph, mesh, options, demands);
    SearchLimits limits;
    limits.weight_bytes = std::int64_t{1} << 40;
    Search search(moves, true, limits);
    const std::vector<Found> front = search.run();
    ASSERT_FALSE(front.empty());
    BruteForce brute(graph, mesh, true, options.costs);
    EXPECT_EQ(front[0].cost, brute.least());
    for (std::size_t f = 0; f < front.size() && search.proven(); ++f) {
      EXPECT_EQ(brute.least(front[f].weight_bytes), front[f].cost) << i;
      if (f > 0) {
        EXPECT_EQ(brute.least(front[f - 1].weight_bytes - 1), front[f].cost) << i;
      }
      ++plans;
    }
    EXPECT_EQ(brute.least(front.back().weight_bytes - 1), std::numeric_limits<double>::infinity());
  }
  EXPECT_GT(plans, 300u);
}

}  // namespace
}  // namespace tpinfer::shard
