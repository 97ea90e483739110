#include "shard/plan/plan_text.hpp"
#include <gtest/gtest.h>
#include <iostream>
#include "shard/plan/planner.hpp"
#include "tests/shard/small_rules.hpp"
namespace tpinfer::shard {
namespace {
BoundGraph gqa() {
  const Attributes heads{{"g", std::int64_t{4}}, {"r", std::int64_t{2}}, {"e", std::int64_t{8}},
                         {"f", std::int64_t{8}}};
  return test::bound({5, 48},
      {test::node("Heads", "q", {"x", "wq"}, "queries", heads),
       test::node("SharedHeads", "k", {"x", "wk"}, "keys", heads),
       test::node("SharedHeads", "v", {"x", "wv"}, "values", heads),
       test::node("Attention", "attention", {"queries", "keys", "values"}, "mixed"),
       test::node("Merge", "merge", {"mixed"}, "merged"),
       test::node("Project", "o", {"merged", "wo"}, "y", heads)},
      "y",
      {{"wq", test::weight({48, 64})}, {"wk", test::weight({48, 32})}, {"wv", test::weight({48, 32})}, {"wo", test::weight({64, 48})}});
}
TEST(PlanText, Show) {
  const BoundGraph graph = test::two_layers(4, 20, 12, 7);
  for (int n : {1, 2, 3, 8}) std::cout << describe_plan(graph, make_plan(graph, n, {})) << summarize_collectives(make_plan(graph, n, {})) << "\n";
  std::cout << describe_plan(test::matmul_neg(), make_plan(test::matmul_neg(), 8, {}));
  std::cout << describe_plan(gqa(), make_plan(gqa(), 3, {}));
  std::cout << describe_graph(gqa());
  for (auto& l : explain_plan(gqa(), make_plan(gqa(), 3, {}))) std::cout << l << "\n";
  for (auto& l : explain_plan(graph, make_plan(graph, 8, {}))) std::cout << l << "\n";
}
}
}
