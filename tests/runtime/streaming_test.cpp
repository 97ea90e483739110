// Which operators may run in pieces of the batch, by their real rules.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "shard/plan/batch.hpp"

namespace tpinfer::runtime {
namespace {

using Ints = std::vector<std::int64_t>;

// "" when the operators, one after the other on x (batch,12), may be streamed; else the refusal.
std::string refusal(const std::vector<std::pair<std::string, shard::Attributes>>& operators,
                    const std::string& weight = "") {
  shard::Graph graph;
  graph.inputs = {{"x", DType::f32, {{0, "batch"}, {12, ""}}}};
  std::string value = "x";
  for (const auto& [op, attributes] : operators) {
    std::vector<std::string> inputs{value};
    if (op == "MatMul" || op == "LayerNormalization") inputs.push_back(weight);
    value += "'";
    graph.nodes.push_back({value, op, inputs, {value}, attributes, {}});
  }
  graph.outputs = {value};
  const shard::WeightTable weights{{"w", {DType::f32, {12, 5}, {}}},
                                   {"s", {DType::f32, {12}, {}}},
                                   {"all", {DType::f32, {6, 12}, {}}}};
  try {
    const shard::BoundGraph bound = shard::bind(graph, {{"batch", 6}}, weights, rule_table());
    shard::check_streamable(graph, bound, "batch");
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage) << error.what();
    return error.what();
  }
  return "";
}

TEST(Streaming, OperatorsThatTreatRowsAlone) {
  EXPECT_EQ(refusal({{"MatMul", {}}, {"Relu", {}}, {"Softmax", {}}}, "w"), "");
  EXPECT_EQ(refusal({{"LayerNormalization", {}}, {"ReduceMean", {{"axes", Ints{1}}}}}, "s"), "");
  EXPECT_EQ(refusal({{"ArgMax", {{"axis", std::int64_t{-1}}, {"keepdims", std::int64_t{0}}}}}), "");
  EXPECT_EQ(refusal({{"Reshape", {{"shape", Ints{0, 3, 4}}}},
                     {"Transpose", {{"perm", Ints{0, 2, 1}}}},
                     {"Flatten", {}}}),
            "");
  EXPECT_EQ(refusal({{"Slice", {{"starts", Ints{2}}, {"ends", Ints{7}}, {"axes", Ints{1}}}}}), "");
  EXPECT_EQ(refusal({{"Unsqueeze", {{"axes", Ints{1}}}}, {"Squeeze", {{"axes", Ints{1}}}}}), "");
}

TEST(Streaming, OperatorsThatMixRows) {
  const shard::Attributes first{{"axis", std::int64_t{0}}};
  const std::vector<std::pair<std::string, shard::Attributes>> mixing{
      {"ReduceSum", {{"axes", Ints{0}}}},
      {"ReduceMax", {}},
      {"Softmax", first},
      {"ArgMax", {}},
      {"Slice", {{"starts", Ints{1}}, {"ends", Ints{3}}}},
      {"Concat", first},
      {"Split", first},
  };
  for (const auto& [op, attributes] : mixing) {
    const std::string text = refusal({{op, attributes}}, "all");
    EXPECT_NE(text.find(op + " x' needs all rows of the batch at once"), text.npos) << text;
  }
  // A weight as long as the batch fits these rows only.
  const std::string tied = refusal({{"LayerNormalization", first}}, "all");
  EXPECT_NE(tied.find("LayerNormalization x' ties the batch to all"), tied.npos) << tied;
  // Two rows made one, and one made three.
  const std::string joined = refusal({{"Reshape", {{"shape", Ints{-1, 24}}}}});
  EXPECT_NE(joined.find("Reshape x' joins rows of the batch"), joined.npos) << joined;
  const std::string tripled = refusal({{"Reshape", {{"shape", Ints{-1, 4}}}}});
  EXPECT_NE(tripled.find("output x' has no batch at dimension 0"), tripled.npos) << tripled;
  // A-16 of the acceptance cases: a product, then a sum over all rows.
  const std::string text = refusal({{"MatMul", {}}, {"ReduceSum", {{"axes", Ints{0}}}}}, "w");
  EXPECT_NE(text.find("ReduceSum x'' needs all rows"), text.npos) << text;
  const std::string moved = refusal({{"Transpose", {}}});
  EXPECT_NE(moved.find("output x' has no batch at dimension 0"), moved.npos) << moved;
}

}  // namespace
}  // namespace tpinfer::runtime
