// --mesh and --rank-weights, and the stages that a pp axis makes.
#include "shard/plan/mesh_options.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/stages.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

template <typename Body>
std::string usage_error(Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.fault()), 64);
    return error.what();
  }
  return "no error";
}

TEST(MeshOptions, AnySubsetInAnyOrder) {
  const MeshOptions options = parse_mesh("tp=2x3,dp=4,pp=5");
  EXPECT_EQ(options.pp, 5);
  EXPECT_EQ(options.dp, 4);
  EXPECT_EQ(options.tp, (std::vector<int>{2, 3}));
  EXPECT_EQ(tensor_ranks(options, 120), 6);
  EXPECT_EQ(tensor_ranks(parse_mesh("dp=2"), 6), 3);
  EXPECT_EQ(tensor_ranks(parse_mesh(""), 6), 6);
  EXPECT_EQ(to_text(with_roles(options, {{{"tp0", 2}, {"tp1", 3}}})),
            "pp 5 x dp 4 x tp0 2 x tp1 3");
}

TEST(MeshOptions, RefusesWhatIsNoMesh) {
  for (const char* text : {"dp", "dp=", "dp=0", "dp=-1", "dp=2x2", "xp=2", "dp=2,dp=2", "tp=2x",
                           "tp=x2", "dp=1.5", "dp=99999999999999999999", ",", "dp=2,", " dp=2"}) {
    EXPECT_EQ(usage_error([&] { parse_mesh(text); }),
              std::string("--mesh ") + text +
                  ": write sizes of dp, pp and tp such as dp=2,tp=4 or tp=2x2");
  }
  EXPECT_EQ(usage_error([] { tensor_ranks(parse_mesh("dp=2,pp=2"), 6); }),
            "--mesh dp=2,pp=2: 6 ranks are no multiple of 4");
  EXPECT_EQ(usage_error([] { tensor_ranks(parse_mesh("dp=2,tp=2"), 8); }),
            "--mesh dp=2,pp=1,tp=2: these are 4 ranks, the run has 8");
}

TEST(MeshOptions, RankWeights) {
  EXPECT_EQ(parse_rank_weights("3,1,0"), (std::vector<std::int64_t>{3, 1, 0}));
  for (const char* text : {"0", "0,0", "3,", "a", "-1,2", "1.5", "3;1", "1000001"}) {
    EXPECT_EQ(usage_error([&] { parse_rank_weights(text); }),
              std::string("--rank-weights ") + text +
                  ": write one whole number per rank, 0 to 1000000, not all 0, such as 3,1");
  }
  MeshOptions options;
  options.rank_weights = {3, 1};
  EXPECT_EQ(usage_error([&] { tensor_ranks(options, 3); }),
            "--rank-weights: 2 weights for 3 ranks");
  EXPECT_EQ(to_text(with_roles(options, {{{"tp", 2}}})), "tp 2 (3:1)");
  options.rank_weights = {2, 2};
  EXPECT_EQ(to_text(with_roles(options, {{{"tp", 2}}})), "tp 2");
  options.rank_weights = {3, 1, 1, 1};  // an axis gets the sums over its ranks
  options.dp = 2;
  EXPECT_EQ(to_text(with_roles(options, {{{"tp", 2}}})), "dp 2 (4:2) x tp 2 (4:2)");
}

Graph chain(int products) {
  Graph graph;
  graph.name = "main";
  graph.inputs = {{"x", DType::f32, {{0, "batch"}, {64, ""}}}};
  std::string value = "x";
  for (int i = 0; i < products; ++i) {
    const std::string next = "t" + std::to_string(i);
    graph.nodes.push_back(test::node("MatMul", next, {value, "w" + std::to_string(i)}, next));
    value = next;
  }
  graph.outputs = {value};
  return graph;
}

BoundGraph bound_chain(const std::vector<std::int64_t>& widths, std::int64_t batch = 4) {
  WeightTable weights;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    weights["w" + std::to_string(i)] = test::weight({widths[i], widths[i + 1]});
  }
  return bind(chain(static_cast<int>(widths.size()) - 1), {{"batch", batch}}, weights,
              test::rules());
}

TEST(Stages, TheSlowestStageIsAsFastAsPossible) {
  // Products of 64x640, 640x64, 64x64 (four times): the first two weigh ten times as much.
  const BoundGraph graph = bound_chain({64, 640, 64, 64, 64, 64, 64});
  EXPECT_EQ(assign_stages(graph, 1, {}, {}), (std::vector<int>{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(assign_stages(graph, 3, {}, {}), (std::vector<int>{0, 1, 2, 2, 2, 2}));
  EXPECT_EQ(assign_stages(graph, 6, {}, {}), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(usage_error([&] { assign_stages(graph, 7, {}, {}); }),
            "--mesh: 7 pipeline stages for 6 operators");
}

TEST(Stages, AsTheUserSays) {
  const BoundGraph graph = bound_chain({64, 64, 64, 64});
  EXPECT_EQ(assign_stages(graph, 2, {{"t1", 1}}, {}), (std::vector<int>{0, 1, 1}));
  EXPECT_EQ(usage_error([&] {
              assign_stages(graph, 2, {{"t1", 2}}, {});
            }),
            "--strategy: t1 is put on stage 2; there are 2 (--mesh pp)");
}

TEST(Stages, APlanOfTwoStagesOfTwoRanks) {
  const BoundGraph graph = bound_chain({64, 128, 64});
  PlanOptions options;
  options.mesh = parse_mesh("pp=2");
  options.batch_inputs = {"x"};
  const Plan plan = make_plan(graph, 4, options);
  EXPECT_EQ(describe_plan(graph, plan), R"(mesh pp 2 x tp 2
  narrow         x(4,64)[R R] -> x(4,64)[@0 R]
  MatMul         t0: x(4,64)[@0 R], w0(64,128)[@0 S1] -> t0(4,128)[@0 S1] (cut n/2)
  send           t0(4,128)[@0 S1] -> t0(4,128)[@1 S1] (2 ranks along pp, 1024 bytes)
  MatMul         t1: t0(4,128)[@1 S1], w1(128,64)[@1 S0] -> t1(4,64)[@1 P] (cut k/2)
  all-reduce     t1(4,64)[@1 P] -> t1(4,64)[@1 R] (2 ranks along tp, 1024 bytes)
)");
  EXPECT_EQ(weight_bytes(plan, 0), 64u * 64 * 4);
  EXPECT_EQ(summarize_run(plan, 3),
            "2 collectives, 2048 bytes: 1 all-reduce 1024 bytes, 1 send 1024 bytes, for each of 3 "
            "micro-batches; stage 1 sends t1 to all at the end");
}

TEST(DataParallel, RowsAreCutAndWeightsWhole) {
  const BoundGraph graph = bound_chain({64, 128, 64}, 5);
  PlanOptions options;
  options.mesh = parse_mesh("dp=2");
  options.batch_inputs = {"x"};
  const Plan plan = make_plan(graph, 2, options);
  EXPECT_EQ(describe_plan(graph, plan), R"(mesh dp 2 x tp 1
  narrow         x(5,64)[R R] -> x(5,64)[S0 R]
  MatMul         t0: x(5,64)[S0 R], w0(64,128)[R R] -> t0(5,128)[S0 R] (cut m/2)
  MatMul         t1: t0(5,128)[S0 R], w1(128,64)[R R] -> t1(5,64)[S0 R] (cut m/2)
  all-gather     t1(5,64)[S0 R] -> t1(5,64)[R R] (2 ranks along dp, 1280 bytes)
)");
}

TEST(DataParallel, RowsThatAreSummedAreWhole) {
  Graph graph;
  graph.name = "main";
  graph.inputs = {{"x", DType::f32, {{8, ""}, {6, ""}}}, {"s", DType::f32, {}}};
  graph.nodes = {test::node("Neg", "n", {"x"}, "n"), test::node("ReduceSum", "r", {"n"}, "r")};
  graph.outputs = {"r"};
  const BoundGraph bound = bind(graph, {}, {}, test::rules());
  EXPECT_EQ(batch_inputs(graph, bound), (std::vector<std::string>{"x"}));
  EXPECT_EQ(batch_factors(bound, {"x"}), (std::vector<int>{0, -1}));
  PlanOptions options;
  options.mesh = parse_mesh("dp=2");
  EXPECT_EQ(usage_error([&] { make_plan(bound, 2, options); }),
            "--mesh dp: no operator has rows of a batch to cut; use tp");
}

}  // namespace
}  // namespace tpinfer::shard
