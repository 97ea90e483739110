// Which graphs may run in pieces of their batch.
#include "shard/plan/batch.hpp"

#include <gtest/gtest.h>

#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kUsage = 64;

Graph graph_of(std::vector<Node> nodes, std::vector<Extent> x) {
  Graph graph;
  graph.name = "main";
  graph.inputs.push_back({"x", DType::f32, std::move(x)});
  graph.nodes = std::move(nodes);
  graph.outputs = {graph.nodes.back().outputs[0]};
  return graph;
}

void check(const Graph& graph, std::int64_t batch = 4) {
  const WeightTable weights{{"w", test::weight({96, 16})}, {"b", test::weight({16})}};
  const std::string symbol = batch_symbol(graph.inputs);
  check_streamable(graph, bind(graph, {{symbol, batch}}, weights, test::rules()), symbol);
}

const std::vector<Extent> kBatched{{0, "batch"}, {96, ""}};

TEST(Batch, TheSymbolOfTheInputs) {
  Graph graph = graph_of({test::node("Neg", "n", {"x"}, "y")}, kBatched);
  EXPECT_EQ(batch_symbol(graph.inputs), "batch");
  graph.inputs.push_back({"z", DType::f32, {{3, ""}}});
  EXPECT_EQ(batch_symbol(graph.inputs), "batch");  // z is the same for all rows
  graph.inputs.push_back({"u", DType::f32, {{0, "other"}}});
  EXPECT_EQ(batch_symbol(graph.inputs), "");
  EXPECT_EQ(
      batch_symbol(graph_of({test::node("Neg", "n", {"x"}, "y")}, {{4, ""}, {96, ""}}).inputs), "");
}

TEST(Batch, LayersOfANetworkStream) {
  for (std::int64_t batch : {1, 2, 7}) {
    EXPECT_NO_THROW(check(graph_of({test::node("MatMul", "fc", {"x", "w"}, "p"),
                                    test::node("Add", "add", {"p", "b"}, "q"),
                                    test::node("Softmax", "s", {"q"}, "y")},
                                   kBatched),
                          batch));
  }
  // There and back is fine.
  EXPECT_NO_THROW(
      check(graph_of({test::node("Transpose", "t", {"x"}, "p"), test::node("Relu", "r", {"p"}, "q"),
                      test::node("Transpose", "u", {"q"}, "y")},
                     kBatched)));
}

// MatMul, then ReduceSum over axis 0.
TEST(Batch, A16ASumOverTheBatchIsRefused) {
  const Graph graph = graph_of(
      {test::node("MatMul", "fc", {"x", "w"}, "p"), test::node("ReduceSum", "total", {"p"}, "y")},
      kBatched);
  EXPECT_THROWN(check(graph), kUsage, "ReduceSum total needs all rows of the batch at once");
}

TEST(Batch, OtherRefusals) {
  EXPECT_THROWN(check(graph_of({test::node("Transpose", "t", {"x"}, "y")}, kBatched)), kUsage,
                "output y has no batch at dimension 0");
  EXPECT_THROWN(check(graph_of({test::node("Transpose", "t", {"x"}, "p"),
                                test::node("Softmax", "s", {"p"}, "y")},
                               kBatched)),
                kUsage, "Softmax s needs all rows");
  EXPECT_THROWN(check(graph_of({test::node("Transpose", "t", {"x"}, "p"),
                                test::node("MatMul", "gram", {"x", "p"}, "y")},
                               kBatched)),
                kUsage, "MatMul gram mixes rows of the batch");
  EXPECT_THROWN(check(graph_of({test::node("Transpose", "t", {"x"}, "p"),
                                test::node("MatMul", "gram", {"p", "x"}, "y")},
                               kBatched)),
                kUsage, "MatMul gram needs all rows");
  Graph graph = graph_of({test::node("Neg", "n", {"x"}, "y")}, kBatched);
  graph.inputs.push_back({"z", DType::f32, {{3, ""}, {0, "batch"}}});
  EXPECT_THROWN(check(graph), kUsage, "input z has \"batch\" at dimension 1, not 0");
  graph.inputs.pop_back();
  graph.inputs.push_back({"z", DType::f32, {{3, ""}}});
  graph.nodes.push_back(test::node("Neg", "m", {"z"}, "v"));
  graph.outputs.push_back("v");
  EXPECT_THROWN(check(graph), kUsage, "output v has no batch at dimension 0");
}

// A weight that is as long as the batch fits these rows and no others.
TEST(Batch, AWeightAsLongAsTheBatchIsRefused) {
  const Graph graph = graph_of({test::node("Add", "add", {"x", "v"}, "y")}, kBatched);
  const WeightTable weights{{"v", test::weight({4, 96})}};
  EXPECT_THROWN(
      check_streamable(graph, bind(graph, {{"batch", 4}}, weights, test::rules()), "batch"), kUsage,
      "Add add ties the batch to v");
}

}  // namespace
}  // namespace tpinfer::shard
