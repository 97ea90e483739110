#include "launch/requests/request.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tpinfer::launch {
namespace {

TEST(Request, ReadsAllKeysInAnyOrder) {
  const Request request = parse_request(
      R"({"outputs":["y"],"encoding":"b64","inputs":{"a":[1],"b":"ones","c":{"shape":[2],"b64":"AA==","type":"int8"}},"version":3,"method":"m","id":"é\n"})");
  EXPECT_EQ(request.problem, "");
  EXPECT_EQ(request.id, "\"\u00e9\\n\"");
  EXPECT_EQ(request.method, "m");
  EXPECT_EQ(request.version, 3);
  EXPECT_EQ(request.outputs, std::vector<std::string>{"y"});
  EXPECT_EQ(request.encoding, "b64");
  ASSERT_EQ(request.instances.size(), 1U);
  ASSERT_EQ(request.instances[0].values.size(), 3U);
  EXPECT_EQ(request.instances[0].values[1].text, "ones");
  const GivenValue& base64 = request.instances[0].values[2];
  EXPECT_EQ(base64.kind, GivenValue::Kind::base64);
  EXPECT_EQ(base64.text, "AA==");
  EXPECT_EQ(base64.type, "int8");
  EXPECT_EQ(base64.shape, Shape{2});
}

TEST(Request, ReturnsIdsAsTheyAre) {
  for (const char* id : {"1", "-7", "18446744073709551615", "1e5", "2.50", "\"a b\"", "\"\""}) {
    EXPECT_EQ(parse_request(std::string("{\"id\":") + id + ",\"inputs\":{}}").id, id);
  }
  EXPECT_EQ(parse_request(R"({"inputs":{}})").id, "null");
  const Request late = parse_request(R"({"id":5,"inputs":{},"nope":1})");
  EXPECT_EQ(late.id, "5");
  EXPECT_NE(late.problem, "");
}

TEST(Request, FindsTheIdBehindAMistake) {
  const auto id = [](const char* line) {
    const Request request = parse_request(line);
    EXPECT_NE(request.problem, "") << line;
    return request.id;
  };
  EXPECT_EQ(id(R"({"bogus":[{"id":1}],"id":7,"inputs":{}})"), "7");
  EXPECT_EQ(id(R"({"inputs":3,"id":"a\"b"})"), R"("a\"b")");
  EXPECT_EQ(id(R"({"bogus":1,"id":-1.50e2})"), "-1.50e2");
  EXPECT_EQ(id(R"({"bogus":1,"id":[7]})"), "null");
  EXPECT_EQ(id(R"({"bogus":1,"x":{"id":7}})"), "null");
  EXPECT_EQ(id(R"({"bogus":1,"id":true,"id":7})"), "null");
  EXPECT_EQ(id(R"({"bogus":1, x "id":7})"), "null");
  EXPECT_EQ(id(R"([{"id":7}])"), "null");
  EXPECT_EQ(id(R"({"id":5,"id":6,"inputs":{}})"), "5");
}

TEST(Request, KeepsWhatIsWrongWithAnInstanceInIt) {
  const Request request = parse_request(
      R"({"instances":[{"x":[[1],2]},3,{"x":null,"y":{"b64":1,"b65":2}},{"x":1,"x":2},[],{"x":{"b64":{"deep":[[]]}}}]})");
  EXPECT_EQ(request.problem, "");
  EXPECT_TRUE(request.in_instances);
  ASSERT_EQ(request.instances.size(), 6U);
  EXPECT_NE(request.instances[0].values[0].list.problem(), "");
  EXPECT_NE(request.instances[1].problem, "");
  EXPECT_NE(request.instances[2].values[0].problem, "");
  EXPECT_NE(request.instances[2].values[1].problem, "");
  EXPECT_NE(request.instances[3].problem.find("twice"), std::string::npos);
  EXPECT_NE(request.instances[4].problem, "");
  EXPECT_NE(request.instances[5].values[0].problem, "");
}

// Any damage gives a request or a problem, never an exception, and never hangs.
TEST(Request, SurvivesDamage) {
  const std::string good =
      R"({"id":"a","graph":"g","version":1,"inputs":{"x":[[1,2.5],[3,4]],"y":{"b64":"AQ==","type":"int8","shape":[1]},"z":"ones"},"outputs":["u"],"encoding":"list"})";
  ASSERT_EQ(parse_request(good).problem, "");
  std::size_t refused = 0;
  for (std::size_t end = 0; end < good.size(); ++end) {
    EXPECT_NE(parse_request(good.substr(0, end)).problem, "") << end;
  }
  std::mt19937 draw(7);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text = good;
    for (int changes = 0; changes < 3; ++changes) {
      const std::size_t at = draw() % text.size();
      switch (draw() % 3) {
        case 0:
          text[at] = static_cast<char>(draw());
          break;
        case 1:
          text.erase(at, 1 + draw() % 5);
          break;
        default:
          text.insert(at, good.substr(draw() % good.size(), draw() % 9));
          break;
      }
      if (text.empty()) text = "{";
    }
    const Request request = parse_request(text);
    refused += !request.problem.empty();
    EXPECT_TRUE(!request.problem.empty() || request.in_instances || request.instances.size() == 1);
  }
  EXPECT_GT(refused, 10000U);
}

TEST(Request, DepthCostsNothing) {
  for (const char* start : {"", R"({"inputs":)", R"({"inputs":{"x":)", R"({"id":)"}) {
    for (const char* opening : {"[", R"({"a":)"}) {
      std::string text = start;
      for (int i = 0; i < 100000; ++i) text += opening;
      EXPECT_NE(parse_request(text).problem, "") << start << opening;
    }
  }
}

}  // namespace
}  // namespace tpinfer::launch
