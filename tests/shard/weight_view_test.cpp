// Names of weights as nodes write them: "w", "w[:,0:64]", "w.T".
#include <gtest/gtest.h>

#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kData = 65;

WeightView view(const std::string& text) {
  return parse_view(text, {{"w", test::weight({96, 16})},
                           {"b", test::weight({16})},
                           {"t", test::weight({2, 3, 4})},
                           {"odd[1].T", test::weight({2, 2})}});
}

TEST(WeightView, WholeSlicedAndTransposed) {
  EXPECT_EQ(view("w").dataset, "w");
  EXPECT_EQ(to_text(view("w").box), "[0:96,0:16]");
  EXPECT_FALSE(view("w").transposed);
  EXPECT_EQ(to_text(view("w[:,0:8]").box), "[0:96,0:8]");
  EXPECT_EQ(to_text(view("w[5:]").box), "[5:96,0:16]");
  EXPECT_EQ(to_text(view("w[:7,3:3]").box), "[0:7,3:3]");
  EXPECT_EQ(to_text(view("t[1:2,:,2:4]").box), "[1:2,0:3,2:4]");
  EXPECT_TRUE(view("w.T").transposed);
  EXPECT_EQ(to_text(view("w[:,8:16].T").box), "[0:96,8:16]");
  EXPECT_TRUE(view("w[:,8:16].T").transposed);
}

TEST(WeightView, AWeightsOwnNameComesFirst) {
  EXPECT_EQ(view("odd[1].T").dataset, "odd[1].T");
  EXPECT_FALSE(view("odd[1].T").transposed);
}

TEST(WeightView, Refusals) {
  EXPECT_THROWN(view("v"), kData, "no weight is called \"v\"");
  EXPECT_THROWN(view("w[:,0:17]"), kData, "range 0:17 outside extent 16");
  EXPECT_THROWN(view("w[-1:]"), kData, "range -1:96 outside extent 96");
  EXPECT_THROWN(view("w[9:8]"), kData, "range 9:8");
  EXPECT_THROWN(view("w[3]"), kData, "write ranges as begin:end");
  EXPECT_THROWN(view("w[a:b]"), kData, "\"a\" is not a number");
  EXPECT_THROWN(view("w[99999999999999999999:]"), kData, "is not a number");
  EXPECT_THROWN(view("b[:,:]"), kData, "more ranges than the 1 dimensions of (16,)");
  EXPECT_THROWN(view("b.T"), kData, "only a matrix has a .T");
  EXPECT_THROWN(view("w]"), kData, "a ] without its [");
}

TEST(WeightView, ABoundGraphSeesTheViewsShape) {
  const BoundGraph graph =
      test::bound({128, 96}, {test::node("MatMul", "fc", {"x", "w[:,8:16]"}, "y")}, "y",
                  {{"w", test::weight({96, 16})}});
  EXPECT_EQ(graph.tensor("w[:,8:16]").shape, (Shape{96, 8}));
  EXPECT_EQ(graph.tensor("y").shape, (Shape{128, 8}));
  const BoundGraph transposed =
      test::bound({128, 16}, {test::node("MatMul", "fc", {"x", "w.T"}, "y")}, "y",
                  {{"w", test::weight({96, 16})}});
  EXPECT_EQ(transposed.tensor("w.T").shape, (Shape{16, 96}));
  EXPECT_EQ(transposed.tensor("y").shape, (Shape{128, 96}));
}

}  // namespace
}  // namespace tpinfer::shard
