// The meshes of strategies, and who then holds what.
#include "shard/plan/strategy.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

// The acceptance cases' product: x (128,96), w (96,16).
FactorCuts check(const Strategy& strategy, int ranks) {
  return check_strategy(test::matmul_neg().nodes[0], strategy, ranks, false, false);
}

Mesh mesh_of(const std::vector<Strategy>& strategies, int ranks) {
  std::vector<std::optional<FactorCuts>> demands{std::nullopt};
  for (const Strategy& strategy : strategies) demands.push_back(check(strategy, ranks));
  return mesh_for(demands, ranks, {});
}

TEST(Strategy, MeshesOfTwoDimensionalStrategies) {
  EXPECT_EQ(to_text(mesh_of({}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({}, 1)), "tp 1");
  EXPECT_EQ(to_text(mesh_of({{{1, 1}, {1, 1}}}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({{{1, 8}, {8, 1}}}, 8)), "tp 8");
  EXPECT_EQ(to_text(mesh_of({{{2, 2}, {2, 2}}}, 8)), "tp0 2 x tp1 2 x tp2 2");
  EXPECT_EQ(to_text(mesh_of({{{2, 1}, {1, 4}}}, 8)), "tp0 2 x tp1 4");
  EXPECT_EQ(to_text(mesh_of({{{4, 2}, {2, 1}}}, 8)), "tp0 4 x tp1 2");
  EXPECT_EQ(to_text(mesh_of({{{1, 2}, {2, 4}}}, 8)), "tp0 2 x tp1 4");
  EXPECT_EQ(to_text(mesh_of({{{1, 4}, {4, 1}}}, 8)), "tp0 4 x tp1 2");  // repeated twice, last
  EXPECT_EQ(to_text(mesh_of({{{2, 1}, {1, 4}}, {{4, 2}, {2, 1}}}, 8)), "tp0 2 x tp1 2 x tp2 2");
}

// What every rank holds of x, w and of the product before its sum is added.
struct Held {
  std::vector<std::string> x, w, y;
  std::vector<std::vector<int>> sum_groups;
  std::vector<std::string> kinds;
};

Held held(const Strategy& strategy) {
  const BoundGraph graph = test::matmul_neg();
  PlanOptions options;
  options.strategies = {{"fc", strategy}};
  const Plan plan = make_plan(graph, 8, options);
  Held result;
  for (const PlanStep& step : plan.steps) {
    if (is_collective(step.kind)) result.kinds.emplace_back(name_of(step.kind));
    const bool sum =
        step.kind == PlanStep::Kind::all_reduce || step.kind == PlanStep::Kind::reduce_scatter;
    for (int rank = 0; sum && rank < 8; ++rank) {
      const std::vector<int> group = plan.mesh.group_of(step.axes, rank);
      if (group.front() == rank) result.sum_groups.push_back(group);
    }
    if (step.kind != PlanStep::Kind::compute || step.node != 0) continue;
    auto boxes = [&](int id) {
      const Value& value = plan.values[static_cast<std::size_t>(id)];
      std::vector<std::string> texts;
      for (int rank = 0; rank < 8; ++rank) {
        texts.push_back(to_text(local_box(value.shape, value.layout, plan.mesh, rank)));
      }
      return texts;
    };
    result.x = boxes(step.inputs[0]);
    result.w = boxes(step.inputs[1]);
    result.y = boxes(step.outputs[0]);
  }
  return result;
}

TEST(Strategy, A20RowsTwiceColumnsFourTimes) {
  const std::vector<std::string> w = held({{2, 1}, {1, 4}}).w;
  EXPECT_EQ(w,
            (std::vector<std::string>{"[0:96,0:4]", "[0:96,4:8]", "[0:96,8:12]", "[0:96,12:16]",
                                      "[0:96,0:4]", "[0:96,4:8]", "[0:96,8:12]", "[0:96,12:16]"}));
}

TEST(Strategy, A21ToA22OneDimension) {
  EXPECT_EQ(held({{1, 8}, {8, 1}}).w[3], "[36:48,0:16]");
  EXPECT_EQ(held({{1, 1}, {1, 8}}).w[3], "[0:96,6:8]");
}

TEST(Strategy, A23ThreeCuts) {
  const Held two = held({{2, 2}, {2, 2}});
  EXPECT_EQ(two.w,
            (std::vector<std::string>{"[0:48,0:8]", "[0:48,8:16]", "[48:96,0:8]", "[48:96,8:16]",
                                      "[0:48,0:8]", "[0:48,8:16]", "[48:96,0:8]", "[48:96,8:16]"}));
  EXPECT_EQ(two.x, (std::vector<std::string>{"[0:64,0:48]", "[0:64,0:48]", "[0:64,48:96]",
                                             "[0:64,48:96]", "[64:128,0:48]", "[64:128,0:48]",
                                             "[64:128,48:96]", "[64:128,48:96]"}));
  EXPECT_EQ(two.y, (std::vector<std::string>{"[0:64,0:8]", "[0:64,8:16]", "[0:64,0:8]",
                                             "[0:64,8:16]", "[64:128,0:8]", "[64:128,8:16]",
                                             "[64:128,0:8]", "[64:128,8:16]"}));
  EXPECT_EQ(two.sum_groups, (std::vector<std::vector<int>>{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
}

TEST(Strategy, A24RowsOnlyHaveNoSum) {
  const Held rows = held({{8, 1}, {1, 1}});
  EXPECT_EQ(rows.w[5], "[0:96,0:16]");
  EXPECT_EQ(rows.x[5], "[80:96,0:96]");
  EXPECT_EQ(rows.kinds, std::vector<std::string>{"all-gather"});
}

TEST(Strategy, A25RepeatedOverTheLastAxis) {
  const Held four = held({{1, 4}, {4, 1}});
  EXPECT_EQ(four.w, (std::vector<std::string>{"[0:24,0:16]", "[0:24,0:16]", "[24:48,0:16]",
                                              "[24:48,0:16]", "[48:72,0:16]", "[48:72,0:16]",
                                              "[72:96,0:16]", "[72:96,0:16]"}));
  EXPECT_EQ(four.sum_groups, (std::vector<std::vector<int>>{{0, 2, 4, 6}, {1, 3, 5, 7}}));
}

}  // namespace
}  // namespace tpinfer::shard
