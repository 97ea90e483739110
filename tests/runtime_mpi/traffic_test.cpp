// What a plan is predicted to send is what the engine sends, to the byte and the call.
#include <gtest/gtest.h>

#include <string>

#include "runtime/engine.hpp"
#include "runtime/op.hpp"
#include "runtime/plan_bytes.hpp"
#include "runtime/program.hpp"
#include "shard/plan/predict.hpp"
#include "tests/comm/world.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::runtime {
namespace {

using comm::world;
using tpinfer::test::hash;

shard::BoundGraph mlp(std::int64_t rows, std::int64_t width, std::int64_t hidden) {
  shard::Graph graph;
  graph.name = "main";
  graph.inputs = {{"x", DType::f32, {{rows, ""}, {width, ""}}}};
  auto add = [&](const char* op, std::vector<std::string> inputs, const std::string& output) {
    graph.nodes.push_back({output, op, std::move(inputs), {output}, {}, {}});
  };
  add("MatMul", {"x", "up"}, "p");
  add("Relu", {"p"}, "q");
  add("MatMul", {"q", "down"}, "r");
  add("Add", {"r", "x"}, "s");
  add("Softmax", {"s"}, "y");
  graph.outputs = {"y"};
  const shard::WeightTable weights{{"up", {DType::f32, {width, hidden}, {}}},
                                   {"down", {DType::f32, {hidden, width}, {}}}};
  return shard::bind(graph, {}, weights, rule_table());
}

void expect_predicted(const shard::BoundGraph& graph, const shard::Plan& plan,
                      const std::string& what) {
  const auto me = static_cast<std::size_t>(world().rank());
  Engine engine(graph, plan, world(), {kernels::Family::eigen, false, true});
  engine.allocate();  // weights are zeros
  const RankBytes needed = bytes_per_rank(graph, plan)[me];
  EXPECT_EQ(needed.activations, compile(graph, plan, world().rank(), false).arena_bytes) << what;
  EXPECT_EQ(needed.weights, shard::weight_bytes(plan, world().rank())) << what;
  const comm::Counters before = world().counters();
  engine.run();
  const comm::Counters after = world().counters();
  engine.run();
  // What asking for counters itself costs: the second question sends what the first did.
  const comm::Counters idle = world().counters(), more = world().counters();
  const std::int64_t calls = after.calls - before.calls - (more.calls - idle.calls);
  const std::int64_t bytes =
      after.bytes_sent - before.bytes_sent - (more.bytes_sent - idle.bytes_sent);
  const shard::Traffic predicted = shard::traffic_of(graph, plan)[me];
  EXPECT_EQ(calls, predicted.calls) << what;
  EXPECT_EQ(bytes, predicted.bytes_sent) << what;
  const std::vector<StepTimes> times = engine.step_times();
  ASSERT_EQ(times.size(), 1u);
  EXPECT_EQ(times[0].runs, 2);
  EXPECT_EQ(times[0].seconds.size(), plan.steps.size());
  double sum = 0;
  for (double seconds : times[0].seconds) sum += seconds;
  EXPECT_GT(sum, 0);
}

TEST(Traffic, IsPredictedExactly) {
  const int ranks = world().size();
  for (const auto& graph : {mlp(4, 33, 50), mlp(300, 64, 700), mlp(1, 5, 3)}) {
    for (bool fastest : {false, true}) {
      shard::PlanOptions options;
      options.fastest = fastest;
      expect_predicted(graph, shard::make_plan(graph, ranks, options), "planned");
    }
    std::vector<shard::Mesh> meshes{{{{"tp", ranks}}}};
    if (ranks % 2 == 0 && ranks > 2) meshes.push_back({{{"a", 2}, {"b", ranks / 2}}});
    std::vector<std::int64_t> shares(static_cast<std::size_t>(ranks), 0);
    shares.at(0) = 3;
    shares.at(static_cast<std::size_t>(ranks) - 1) += 1;
    if (ranks > 1) meshes.push_back({{{"tp", ranks, shares}}});
    for (const shard::Mesh& mesh : meshes) {
      for (std::uint32_t seed = 0; seed < 12; ++seed) {
        std::vector<shard::Decision> decisions;
        for (const shard::BoundNode& node : graph.nodes) {
          const auto all = shard::candidates_of(graph, node, mesh, true, {});
          decisions.push_back(
              all[hash(seed, static_cast<std::uint32_t>(decisions.size())) % all.size()]);
        }
        expect_predicted(graph, shard::lay_out(graph, mesh, std::move(decisions)),
                         to_text(mesh) + " seed " + std::to_string(seed));
      }
    }
  }
}

}  // namespace
}  // namespace tpinfer::runtime
