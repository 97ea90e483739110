// The promise: whatever the ranks, the mesh and what is cut, the output has the bits of one rank,
// and every rank reads its own boxes only.
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shard/plan/plan_text.hpp"
#include "tests/runtime_mpi/shared_model.hpp"

namespace tpinfer::runtime {
namespace {

using comm::world;
using test::hash;

struct Case {
  std::int64_t batch = 5;
  std::vector<std::int64_t> rebinds = {};
  bool fast = false;
};

// The same bits; with --fast the same numbers, as a library's sum of nothing but zeros may be -0.
bool same(const std::string& got, const std::string& expected, bool fast) {
  if (!fast || got.size() != expected.size()) return got == expected;
  std::vector<float> a(got.size() / sizeof(float)), b(a.size());
  std::memcpy(a.data(), got.data(), got.size());
  std::memcpy(b.data(), expected.data(), got.size());
  return a == b;
}

// Runs a plan on all ranks and compares with one rank.
void expect_same(SharedModel& shared, const shard::BoundGraph& graph, const shard::Plan& plan,
                 const Case& c, const std::string& what) {
  const auto x = c.fast ? tpinfer::test::integers(7, c.batch * shared.width(), 3)
                        : tpinfer::test::noise(7, c.batch * shared.width());
  const std::string expected = shared.reference(c.batch, x);
  Engine engine(graph, plan, world(), {kernels::Family::eigen, c.fast});
  engine.allocate();
  const std::size_t before = shared.model().file().bytes_read();
  engine.weights().load({&shared.model().file()}, {});
  EXPECT_EQ(shared.model().file().bytes_read() - before, shard::weight_bytes(plan, world().rank()))
      << what;
  const std::string got = test::run(engine, x);
  EXPECT_TRUE(same(got, expected, c.fast)) << what << "\n" << shard::describe_plan(graph, plan);
  EXPECT_TRUE(same(test::run(engine, x), expected, c.fast)) << what << ", the second run";
  for (std::int64_t rows : c.rebinds) {
    engine.use(engine.bind(test::bind(shared.model(), rows)));
    const std::string part = test::run(engine, x);
    EXPECT_EQ(part.size(),
              expected.size() / static_cast<std::size_t>(c.batch) * static_cast<std::size_t>(rows));
    EXPECT_TRUE(part == expected.substr(0, part.size()))
        << what << ", " << rows << " rows\n"
        << shard::describe_plan(engine.graph(), engine.plan());
  }
}

std::string name_of_network(std::uint32_t seed) { return "network " + std::to_string(seed); }

TEST(Sameness, DefaultAndFastestPlans) {
  for (std::uint32_t seed = 1000; seed < 1040; ++seed) {
    SharedModel shared(seed, 2 + static_cast<int>(seed % 5), false);
    const shard::BoundGraph graph = test::bind(shared.model(), 5);
    for (bool fastest : {false, true}) {
      shard::PlanOptions options;
      options.fastest = fastest;
      const shard::Plan plan = shard::make_plan(graph, world().size(), options);
      expect_same(shared, graph, plan, {5, {1, 2, 5}, false}, name_of_network(seed));
    }
  }
}

// Every strategy of a product on this many ranks: m, k and n cut by all triples that fit.
TEST(Sameness, AllStrategies) {
  const std::int64_t ranks = world().size();
  SharedModel shared(2000, 4, false);
  const shard::BoundGraph graph = test::bind(shared.model(), 5);
  int tried = 0;
  for (std::int64_t m = 1; m <= ranks; ++m) {
    for (std::int64_t k = 1; k <= ranks; ++k) {
      for (std::int64_t n = 1; n <= ranks; ++n) {
        if (ranks % (m * k * n) != 0) continue;
        shard::PlanOptions options;
        options.uneven = true;
        options.strategies = {{"MatMul", {{m, k}, {k, n}}}};
        const shard::Plan plan = shard::make_plan(graph, world().size(), options);
        const std::string what = shard::to_text(options.strategies[0].strategy);
        expect_same(shared, graph, plan, {5, {1}, false}, what);
        ++tried;
      }
    }
  }
  EXPECT_GE(tried, 1);
}

std::vector<shard::Mesh> meshes_of(int ranks) {
  std::vector<shard::Mesh> meshes{{{{"tp", ranks}}}};
  for (int a = 2; a < ranks; ++a) {
    if (ranks % a == 0) meshes.push_back({{{"a", a}, {"b", ranks / a}}});
  }
  if (ranks == 8) meshes.push_back({{{"a", 2}, {"b", 2}, {"c", 2}}});
  return meshes;
}

// A decision for every node, drawn at random from all legal ones.
shard::Plan random_plan(const shard::BoundGraph& graph, const shard::Mesh& mesh,
                        std::uint32_t seed) {
  std::vector<shard::Decision> decisions;
  std::uint32_t drawn = 0;
  for (const shard::BoundNode& node : graph.nodes) {
    const auto all = shard::candidates_of(graph, node, mesh, true, {});
    decisions.push_back(all[hash(seed, ++drawn) % all.size()]);
  }
  return shard::lay_out(graph, mesh, std::move(decisions));
}

TEST(Sameness, RandomDecisions) {
  std::set<shard::PlanStep::Kind> kinds;
  for (std::uint32_t seed = 3000; seed < 3040; ++seed) {
    SharedModel shared(seed, 2 + static_cast<int>(seed % 5), false);
    const shard::BoundGraph graph = test::bind(shared.model(), 5);
    std::uint32_t drawn = 0;
    for (const shard::Mesh& mesh : meshes_of(world().size())) {
      for (int repetition = 0; repetition < 2; ++repetition) {
        const shard::Plan plan = random_plan(graph, mesh, hash(seed, ++drawn));
        for (const shard::PlanStep& step : plan.steps) kinds.insert(step.kind);
        expect_same(shared, graph, plan, {5, {1, 3}, false},
                    name_of_network(seed) + " on " + to_text(mesh));
      }
    }
  }
  // Every kind of reshard and of sum has come up.
  EXPECT_EQ(kinds.size(), world().size() > 1 ? 6u : 1u);
}

// --fast adds in another order; where sums are exact it must give the same numbers.
TEST(Sameness, FastSumsAreSums) {
  for (std::uint32_t seed = 4000; seed < 4020; ++seed) {
    SharedModel shared(seed, 3, true);
    const shard::BoundGraph graph = test::bind(shared.model(), 5);
    for (const shard::Mesh& mesh : meshes_of(world().size())) {
      const shard::Plan plan = random_plan(graph, mesh, seed);
      expect_same(shared, graph, plan, {5, {}, true},
                  name_of_network(seed) + " on " + to_text(mesh));
    }
  }
}

}  // namespace
}  // namespace tpinfer::runtime
