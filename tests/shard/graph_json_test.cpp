// The JSON form of a graph: what is read, what is refused and with which words.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "kernels/base/error.hpp"
#include "shard/plan/graph.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

const char* const kMlp = R"({
  "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 784]}],
  "outputs": ["y"],
  "nodes": [
    {"op": "Relu", "inputs": ["h"], "outputs": ["y"]},
    {"name": "fc1", "op": "MatMul", "inputs": ["x", "w"], "outputs": ["h"],
     "attributes": {"axis": -1, "alpha": 0.5, "mode": "fast", "perm": [1, 0], "scales": [1, 0.5]},
     "strategy": [[1, 8], [8, 1]]}
  ]})";

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

std::string parse_failure(const std::string& json) {
  return message_of([&] { parse_graph("main", json, {"w"}); });
}

// A graph with one node; `change` goes where the node's last key would.
std::string with_node(const std::string& node) {
  return R"({"inputs":[{"name":"x","dtype":"f32","shape":[2]}],"outputs":["y"],"nodes":[)" + node +
         "]}";
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(GraphJson, ReadsAndSorts) {
  const Graph graph = parse_graph("main", kMlp, {"w"});
  EXPECT_EQ(graph.name, "main");
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.inputs[0].shape, (std::vector<Extent>{{0, "batch"}, {784, ""}}));
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].name, "fc1");
  EXPECT_EQ(graph.nodes[1].name, "y");  // the default: the first output
  EXPECT_EQ(*graph.nodes[0].strategy, (Strategy{{1, 8}, {8, 1}}));
  EXPECT_EQ(int_attribute(graph.nodes[0], "axis", 7), -1);
  EXPECT_EQ(int_attribute(graph.nodes[0], "absent", 7), 7);
  EXPECT_EQ(float_attribute(graph.nodes[0], "alpha", 0), 0.5);
  EXPECT_EQ(float_attribute(graph.nodes[0], "axis", 0), -1.0);
  EXPECT_EQ(string_attribute(graph.nodes[0], "mode", ""), "fast");
  EXPECT_EQ(*ints_attribute(graph.nodes[0], "perm"), (std::vector<std::int64_t>{1, 0}));
  EXPECT_FALSE(ints_attribute(graph.nodes[0], "absent").has_value());
  EXPECT_HAS(message_of([&] { ints_attribute(graph.nodes[0], "scales"); }), "list of integers");
  EXPECT_HAS(message_of([&] { int_attribute(graph.nodes[0], "alpha", 0); }),
             "node fc1 (MatMul): attribute alpha must be an integer");
}

TEST(GraphJson, RoundTrip) {
  const Graph graph = parse_graph("main", kMlp, {"w"});
  const std::string once = to_json(graph);
  const std::string twice = to_json(parse_graph("main", once, {"w"}));
  EXPECT_EQ(once, twice);
  EXPECT_TRUE(
      once.starts_with(R"({"inputs":[{"name":"x","dtype":"float32","shape":["batch",784]}])"))
      << once;
  EXPECT_HAS(once, R"("strategy":[[1,8],[8,1]])");
}

TEST(GraphJson, SortIsStable) {
  const Graph graph = parse_graph("main", R"({"inputs":[{"name":"x","dtype":"f32","shape":[]}],
    "outputs":["d"],"nodes":[
      {"op":"Add","inputs":["b","c"],"outputs":["d"]},
      {"op":"Neg","inputs":["x"],"outputs":["b"]},
      {"op":"Abs","inputs":["x"],"outputs":["c"]}]})",
                                  {});
  EXPECT_EQ(graph.nodes[0].op + graph.nodes[1].op + graph.nodes[2].op, "NegAbsAdd");
}

TEST(GraphJson, ViewsAndOptionalInputs) {
  EXPECT_NO_THROW(parse_graph(
      "main", with_node(R"({"op":"Clip","inputs":["x","","w[:,0:64]"],"outputs":["y"]})"), {"w"}));
}

TEST(GraphJson, StatesAreGiven) {
  const std::string json = R"({"inputs":[],"states":[{"name":"s","dtype":"f32","shape":[2]}],
    "outputs":["y"],"nodes":[{"op":"Neg","inputs":["s"],"outputs":["y"]}]})";
  const Graph graph = parse_graph("main", json, {});
  ASSERT_EQ(graph.states.size(), 1u);
  EXPECT_HAS(to_json(graph), "\"states\"");
}

TEST(GraphJson, Cycle) {
  const std::string text = parse_failure(with_node(
      R"({"name":"a","op":"Add","inputs":["x","q"],"outputs":["p"]},
         {"name":"b","op":"Neg","inputs":["p"],"outputs":["q"]},
         {"name":"c","op":"Neg","inputs":["q"],"outputs":["y"]})"));
  EXPECT_HAS(text, "graph main: the nodes form a cycle: ");
  EXPECT_HAS(text, "a needs b");
  EXPECT_HAS(text, "b needs a");
}

TEST(GraphJson, SelfCycle) {
  EXPECT_HAS(parse_failure(with_node(R"({"name":"a","op":"Neg","inputs":["y"],"outputs":["y"]})")),
             "a needs a");
}

struct Refusal {
  const char* json;
  const char* words;
};

TEST(GraphJson, RefusesNodes) {
  const Refusal refusals[] = {
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"colour":1})", "unknown key \"colour\""},
      {R"({"op":"Neg","inputs":["z"],"outputs":["y"]})", "node y: nobody makes its input z"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["x"]})", "already the name of an input"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["w"]})", "already the name of an input"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y","y"]})", "already made by node"},
      {R"({"op":"Neg","inputs":["x"],"outputs":[]})", "\"outputs\" is empty"},
      {R"({"op":"Neg","inputs":["x"]})", "\"outputs\" is missing"},
      {R"({"op":7,"inputs":["x"],"outputs":["y"]})", "\"op\" must be a string"},
      {R"({"op":"Neg","inputs":"x","outputs":["y"]})", "\"inputs\" must be a list"},
      {R"({"op":"Neg","inputs":[1],"outputs":["y"]})", "list of names"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["q"]})", "output y: no node makes it"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"attributes":{"a":null}})", "attribute a"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"attributes":{"a":["s"]}})",
       "list of numbers"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"attributes":{"a":18446744073709551615}})",
       "64-bit integer"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"attributes":{"a":NaN}})", "not valid JSON"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"attributes":{"a":1e999}})", "out of range"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"strategy":[1]})", "list of lists"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y"],"strategy":[[0]]})", "at least 1"},
      {R"({"op":"Neg","inputs":["x"],"outputs":["y\n"]})", "control character"},
      {R"({"op":"Neg","op":"Abs","inputs":["x"],"outputs":["y"]})", "\"op\" occurs twice"},
      {R"({"name":"a","op":"Neg","inputs":["x"],"outputs":["p"]},
          {"name":"a","op":"Neg","inputs":["x"],"outputs":["y"]})",
       "already taken"},
  };
  for (const Refusal& refusal : refusals) {
    const std::string text = parse_failure(with_node(refusal.json));
    EXPECT_HAS(text, refusal.words);
    EXPECT_TRUE(text.starts_with("graph main: ")) << text;
  }
}

TEST(GraphJson, RefusesValues) {
  const Refusal refusals[] = {
      {R"({"name":"x","dtype":"float33","shape":[2]})", "unknown dtype \"float33\""},
      {R"({"name":"x","dtype":"f32","shape":[-1]})", "negative"},
      {R"({"name":"x","dtype":"f32","shape":[1.5]})", "64-bit integer"},
      {R"({"name":"x","dtype":"f32","shape":[""]})", "empty name"},
      {R"({"name":"x","dtype":"f32","shape":[1,1,1,1,1,1,1,1,1]})", "limit of 8"},
      {R"({"name":"x","dtype":"f32"})", "\"shape\" is missing"},
      {R"({"name":"","dtype":"f32","shape":[]})", "empty name"},
      {R"({"name":"w","dtype":"f32","shape":[]})", "already taken"},
      {R"("x")", "must be a JSON object"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_HAS(parse_failure(std::string(R"({"inputs":[)") + refusal.json +
                             R"(],"outputs":["y"],"nodes":[]})"),
               refusal.words);
  }
}

TEST(GraphJson, RefusesDocuments) {
  EXPECT_HAS(parse_failure(""), "not valid JSON");
  EXPECT_HAS(parse_failure("[]"), "must be a JSON object");
  EXPECT_HAS(parse_failure(R"({"inputs":[],"outputs":[],"nodes":[]})"), "\"outputs\" is empty");
  EXPECT_HAS(parse_failure(with_node("{}") + "x"), "not valid JSON");
  EXPECT_HAS(parse_failure(std::string(100'000, '[')), "nested deeper than 32");
  EXPECT_HAS(parse_failure("{\"inputs\":\"" + std::string(std::size_t{17} << 20, 'a') + "\"}"),
             "more than the limit");
  EXPECT_HAS(parse_failure("{\"\xff\":1}"), "not valid JSON");
}

TEST(TextCheck, Utf8) {
  EXPECT_TRUE(is_utf8("Größe ∑ 🙂"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));          // over-long
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // a surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_FALSE(is_utf8("a\xe2\x88"));         // cut off
  EXPECT_EQ(printable("a\nb\xff"), "a\\x0ab\\xff");
  EXPECT_EQ(printable(std::string(200, 'a')), std::string(80, 'a') + "...");
}

}  // namespace
}  // namespace tpinfer::shard
