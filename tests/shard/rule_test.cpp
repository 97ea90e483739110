// The grammar of rules: every form, what it says of shapes, and its refusals.
#include "shard/layout/rule.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/shard/small_rules.hpp"

namespace tpinfer::shard {
namespace {

constexpr int kData = 65, kInternal = 70;

Rule make(const std::string& text, const std::vector<Shape>& shapes,
          std::map<std::string, std::int64_t> extents = {}) {
  return bind_rule("Op n", {text, std::move(extents)}, shapes);
}

const Factor& factor(const Rule& rule, const std::string& name) {
  for (const Factor& f : rule.factors) {
    if (f.name == name) return f;
  }
  ADD_FAILURE() << "no factor " << name;
  return rule.factors.at(0);
}

// "m5 k7c n3": extents; c contracted, ! whole, - not cuttable though not whole.
std::string text_of(const Rule& rule) {
  std::string text;
  for (const Factor& f : rule.factors) {
    text += (text.empty() ? "" : " ") + f.name + std::to_string(f.extent);
    if (f.contracted) text += "c";
    if (f.whole) text += "!";
    if (!f.cuttable && !f.whole) text += "-";
  }
  return text;
}

TEST(Rule, MatrixProduct) {
  const Rule rule = make("m k, k n -> m n", {{5, 7}, {7, 3}});
  EXPECT_EQ(text_of(rule), "m5 k7c n3");
  EXPECT_EQ(output_shapes(rule), (std::vector<Shape>{{5, 3}}));
}

TEST(Rule, WholeFactors) {
  EXPECT_EQ(text_of(make("m d!, d!, d! -> m d!", {{4, 6}, {6}, {6}})), "m4 d6!");
  // One mark anywhere is enough.
  EXPECT_EQ(text_of(make("m d -> m d!", {{4, 6}})), "m4 d6!");
}

TEST(Rule, CompoundsOnlyTheLeadingFactorIsCut) {
  const Rule flatten = make("b h w -> b (h w)", {{2, 3, 4}});
  EXPECT_EQ(text_of(flatten), "b2 h3 w4-");
  EXPECT_EQ(output_shapes(flatten), (std::vector<Shape>{{2, 12}}));
  const Rule split = make("b (h w) -> b h w", {{2, 12}}, {{"h", 3}, {"w", 4}});
  EXPECT_EQ(text_of(split), "b2 h3 w4-");
  EXPECT_EQ(output_shapes(split), (std::vector<Shape>{{2, 3, 4}}));
}

TEST(Rule, PermutationsOnesAndScalars) {
  const Rule swap = make("a b -> b a", {{2, 3}});
  EXPECT_EQ(output_shapes(swap), (std::vector<Shape>{{3, 2}}));
  const Rule ones = make("m n, m 1 -> m n", {{2, 3}, {2, 1}});
  EXPECT_EQ(output_shapes(ones), (std::vector<Shape>{{2, 3}}));
  EXPECT_TRUE(ones.inputs[1][1].empty());
  const Rule optional = make("m, , m -> m", {{2}, {}, {2}});
  EXPECT_EQ(optional.inputs[1].size(), 0u);
  EXPECT_EQ(output_shapes(make(" -> ", {{}})), (std::vector<Shape>{{}}));
  EXPECT_EQ(output_shapes(make("m! -> m!, 1", {{2}})), (std::vector<Shape>{{2}, {1}}));
}

TEST(Rule, Ellipses) {
  const Rule product = make("... m k, k n -> ... m n", {{2, 3, 5, 7}, {7, 4}});
  EXPECT_EQ(output_shapes(product), (std::vector<Shape>{{2, 3, 5, 4}}));
  // Aligned right, extents of 1 broadcast and are never cut.
  const Rule add = make("..., ... -> ...", {{2, 3}, {4, 1, 3}});
  EXPECT_EQ(output_shapes(add), (std::vector<Shape>{{4, 2, 3}}));
  EXPECT_TRUE(add.inputs[1][1].empty());
  EXPECT_EQ(output_shapes(make("... -> ...", {{}})), (std::vector<Shape>{{}}));
}

TEST(Rule, AttentionNeedsNoCode) {
  const Rule rule =
      make("t g r e!, s! g e!, s! g f -> t g r f", {{5, 4, 2, 8}, {5, 4, 8}, {5, 4, 6}});
  EXPECT_EQ(text_of(rule), "t5 g4 r2 e8c! s5c! f6");
  EXPECT_EQ(output_shapes(rule), (std::vector<Shape>{{5, 4, 2, 6}}));
}

TEST(Rule, ExtentsOfOneAreNeverCut) {
  EXPECT_FALSE(factor(make("m n -> m n", {{1, 3}}), "m").cuttable);
  EXPECT_FALSE(factor(make("m n -> m n", {{0, 3}}), "m").cuttable);
}

TEST(Rule, RefusesShapesThatDisagree) {
  EXPECT_THROWN(bind_rule("MatMul fc2", {"m k, k n -> m n", {}}, {{5, 4096}, {4097, 3}}), kData,
                "MatMul fc2: factor k is 4096 in input 0 and 4097 in input 1");
  EXPECT_THROWN(make("m k, k n -> m n", {{5, 7, 2}, {7, 3}}), kData,
                "Op n: input 0 has 3 dimensions (5,7,2), the rule \"m k, k n -> m n\" wants 2");
  EXPECT_THROWN(make("m k, k n -> m n", {{5, 7}}), kData, "Op n: 1 inputs given, 2 wanted");
  EXPECT_THROWN(make("m n, m 1 -> m n", {{2, 3}, {2, 3}}), kData,
                "dimension 1 of input 1 is 3, the rule \"m n, m 1 -> m n\" wants 1");
  EXPECT_THROWN(make("b (h w) -> b h w", {{2, 13}}, {{"h", 3}, {"w", 4}}), kData,
                "dimension 1 of input 0 is 13");
  EXPECT_THROWN(make("..., ... -> ...", {{2, 3}, {2, 4}}), kData, "factor _0 is ");
}

TEST(Rule, RefusesMalformedTexts) {
  EXPECT_THROWN(make("m n", {{2, 3}}), kInternal, "no ->");
  EXPECT_THROWN(make("(m n -> m", {{6}}), kInternal, "a ( without its )");
  EXPECT_THROWN(make("m) -> m", {{6}}), kInternal, "a ) without its (");
  EXPECT_THROWN(make("((m)) -> m", {{6}}), kInternal, "nested parentheses");
  EXPECT_THROWN(make("m -> m n", {{6}}), kInternal, "no extent for factor n");
  EXPECT_THROWN(make("(m n) -> m", {{6}}), kInternal, "no extent for factor m");
}

// Cuts of factors become layouts of tensors: grains behind a compound's leading factor, pending
// sums where a contracted factor is cut.
TEST(Rule, LayoutsOfCuts) {
  const Mesh mesh{{{"a", 2}, {"b", 2}}};
  const Rule product = make("m k, k n -> m n", {{6, 8}, {8, 10}});
  const std::vector<Cut> cuts{{1, {0}, true}, {2, {1}, false}};  // k over a, n over b
  auto layout = [&](const Rule& rule, const std::vector<RuleDim>& dims, bool output,
                    const std::vector<Cut>& c) {
    return to_text(layout_of(rule, dims, output, c, mesh));
  };
  EXPECT_EQ(layout(product, product.inputs[0], false, cuts), "[S1 R]");
  EXPECT_EQ(layout(product, product.inputs[1], false, cuts), "[S0 S1]");
  EXPECT_EQ(layout(product, product.outputs[0], true, cuts), "[P S1]");
  const Rule flatten = make("b h w -> b (h w)", {{2, 3, 4}});
  EXPECT_EQ(layout(flatten, flatten.inputs[0], false, {{1, {0}, false}}), "[S1 R]");
  EXPECT_EQ(layout(flatten, flatten.outputs[0], true, {{1, {0}, false}}), "[S1/4 R]");
  const Rule add = make("m n, m 1 -> m n", {{4, 6}, {4, 1}});
  EXPECT_EQ(layout(add, add.inputs[1], false, {{1, {0, 1}, false}}), "[R R]");
  EXPECT_EQ(layout(add, add.inputs[1], false, {{0, {0, 1}, false}}), "[S0 S0]");
}

}  // namespace
}  // namespace tpinfer::shard
