// Attributes that an operator does not know are refused, never ignored.
#include <gtest/gtest.h>

#include <string>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"

namespace tpinfer::runtime {
namespace {

std::string refusal(const std::string& op, const shard::Attributes& attributes) {
  shard::Graph graph;
  graph.nodes.push_back({"n", op, {"x"}, {"y"}, attributes, {}});
  try {
    check_attributes(graph);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data);
    return error.what();
  }
}

TEST(Attributes, UnknownOnesAreRefused) {
  EXPECT_EQ(refusal("MatMul", {{"transB", std::int64_t{1}}}),
            "MatMul n: unknown attribute transB; known: none");
  EXPECT_EQ(refusal("Gemm", {{"transC", std::int64_t{1}}}),
            "Gemm n: unknown attribute transC; known: alpha, beta, transA, transB");
  EXPECT_EQ(refusal("Softmax", {{"axis", std::int64_t{1}}, {"axes", std::int64_t{1}}}),
            "Softmax n: unknown attribute axes; known: axis");
  EXPECT_EQ(refusal("Relu", {{"alpha", 0.5}}), "Relu n: unknown attribute alpha; known: none");
}

// No operator takes what nobody has heard of, and all take nothing at all.
TEST(Attributes, EveryOperatorHasAList) {
  for (const auto& [name, op] : operator_table()) {
    EXPECT_NE(refusal(name, {{"frobnicate", std::int64_t{1}}}), "") << name;
    EXPECT_EQ(refusal(name, {}), "");
  }
  EXPECT_EQ(refusal("Frobnicate", {{"axis", std::int64_t{1}}}), "");  // bind() names it
}

TEST(Attributes, KnownOnesAndDefaultsAreLegal) {
  EXPECT_EQ(refusal("Gemm", {{"alpha", 2.0}, {"beta", 1.0}, {"transA", std::int64_t{0}}}), "");
  EXPECT_EQ(refusal("Cast", {{"to", std::int64_t{1}}, {"saturate", std::int64_t{1}}}), "");
  EXPECT_EQ(
      refusal("LayerNormalization",
              {{"axis", std::int64_t{-1}}, {"epsilon", 1e-5}, {"stash_type", std::int64_t{1}}}),
      "");
  EXPECT_EQ(refusal("LayerNormalization", {{"stash_type", std::int64_t{16}}}),
            "LayerNormalization n: attribute stash_type can only be 1, its default");
  EXPECT_EQ(refusal("LayerNormalization", {{"stash_type", 1.5}}),
            "LayerNormalization n: attribute stash_type can only be 1, its default");
  EXPECT_EQ(refusal("Cast", {{"to", std::string("bool")}, {"round_mode", std::string("down")}}),
            "Cast n: attribute round_mode can only be up, its default");
}

}  // namespace
}  // namespace tpinfer::runtime
