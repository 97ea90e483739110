#include "launch/instances/dispatcher.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tpinfer::launch {
namespace {

std::vector<std::string> take_all(Dispatcher& dispatcher) {
  std::vector<std::string> lines;
  while (const auto line = dispatcher.take_ready()) lines.push_back(*line);
  return lines;
}

TEST(Dispatcher, TheLeastLoadedInstanceComesFirst) {
  Dispatcher d(2, 2);
  for (const char* line : {"a", "b", "c", "d", "e"}) d.add(line);
  EXPECT_FALSE(d.next()) << "no instance is up";
  d.set_up(0, true);
  d.set_up(1, true);
  std::vector<int> to;
  while (const auto assignment = d.next()) to.push_back(assignment->instance);
  EXPECT_EQ(to, (std::vector<int>{0, 1, 0, 1})) << "two each, the fifth waits";
  EXPECT_TRUE(d.answer(1, "B"));
  const auto fifth = d.next();
  ASSERT_TRUE(fifth);
  EXPECT_EQ(fifth->instance, 1);
  EXPECT_EQ(fifth->line, "e");
}

TEST(Dispatcher, AnswersComeInTheOrderOfRequests) {
  Dispatcher d(2, 1);
  d.set_up(0, true);
  d.set_up(1, true);
  d.add("a");
  d.add("b");
  while (d.next()) {
  }
  d.answer(1, "B");
  EXPECT_FALSE(d.take_ready()) << "a is not answered";
  d.answer(0, "A");
  EXPECT_EQ(take_all(d), (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(d.empty());
  EXPECT_FALSE(d.answer(0, "more")) << "it owes nothing";
}

TEST(Dispatcher, ADeadInstancesRequestsGoToTheOthersInOrder) {
  Dispatcher d(2, 3);
  d.set_up(0, true);
  for (const char* line : {"a", "b", "c", "d"}) d.add(line);
  while (d.next()) {
  }
  d.answer(0, "A");
  d.lost(0);
  EXPECT_FALSE(d.next());
  d.set_up(1, true);
  std::string order;
  while (const auto assignment = d.next()) order += assignment->line;
  EXPECT_EQ(order, "bcd");
  EXPECT_EQ(d.moved(), 2);
}

TEST(Dispatcher, ARequestThatKillsTwoInstancesIsAnsweredWithAnError) {
  Dispatcher d(1, 4);
  d.add(R"({"inputs":{"id":9},"id":"x"})");
  d.add("second");
  for (int life = 0; life < 2; ++life) {
    d.set_up(0, true);
    while (d.next()) {
    }
    d.lost(0);
  }
  EXPECT_EQ(take_all(d), (std::vector<std::string>{
                             R"({"id":"x","error":{"code":75,"message":"two instances died while )"
                             R"(they worked on it"}})"}));
  d.set_up(0, true);
  ASSERT_TRUE(d.next());
  d.answer(0, "fine");
  EXPECT_EQ(take_all(d), (std::vector<std::string>{"fine"}));
}

TEST(Dispatcher, ErrorAnswersKeepTheIdOfWhateverCanBeRead) {
  EXPECT_EQ(error_answer(R"({"id":7,"a":[1]})", 75, "w"),
            R"({"id":7,"error":{"code":75,"message":"w"}})");
  EXPECT_EQ(error_answer("{not JSON", 75, "w"), R"({"id":null,"error":{"code":75,"message":"w"}})");
  EXPECT_EQ(error_answer(R"([{"id":7}])", 75, "w"),
            R"({"id":null,"error":{"code":75,"message":"w"}})");
  EXPECT_EQ(error_answer(R"({"id":{"a":1}})", 75, "w"),
            R"({"id":null,"error":{"code":75,"message":"w"}})");
}

TEST(Dispatcher, WhatIsHeldIsBounded) {
  Dispatcher d(2, 2);
  int held = 0;
  while (d.wants_more()) {
    d.add("x");
    ASSERT_LT(++held, 100);
  }
  d.set_up(0, true);
  ASSERT_TRUE(d.next());
  d.answer(0, "y");
  EXPECT_FALSE(d.wants_more()) << "the answer is not written yet";
  EXPECT_TRUE(d.take_ready());
  EXPECT_TRUE(d.wants_more());
}

// Instances that die at random: one answer for each request, in order.
TEST(Dispatcher, EachRequestGetsOneAnswerWhateverDies) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const int instances = 1 + static_cast<int>(random() % 4);
    Dispatcher d(instances, 1 + static_cast<int>(random() % 3));
    std::vector<std::deque<std::string>> at(static_cast<std::size_t>(instances));
    std::vector<std::string> written;
    int added = 0;
    for (int step = 0; step < 3000 && (added < 50 || !d.empty()); ++step) {
      const int i = static_cast<int>(random() % static_cast<unsigned>(instances));
      auto& mine = at[static_cast<std::size_t>(i)];
      switch (random() % 8) {
        case 0:
          d.lost(i);
          mine.clear();
          break;
        case 1:
          d.set_up(i, true);
          break;
        case 2:
        case 3:
          if (added < 50 && d.wants_more()) d.add(std::to_string(added++));
          break;
        default:
          while (const auto next = d.next()) {
            at[static_cast<std::size_t>(next->instance)].push_back(next->line);
          }
          if (!mine.empty()) {
            EXPECT_TRUE(d.answer(i, mine.front()));
            mine.pop_front();
          }
      }
      for (std::string& line : take_all(d)) written.push_back(std::move(line));
    }
    d.give_up("end");
    for (std::string& line : take_all(d)) written.push_back(std::move(line));
    ASSERT_EQ(written.size(), static_cast<std::size_t>(added)) << "seed " << seed;
    for (int i = 0; i < added; ++i) {
      const std::string& line = written[static_cast<std::size_t>(i)];
      EXPECT_TRUE(line == std::to_string(i) || line.find("error") != line.npos) << line;
    }
  }
}

}  // namespace
}  // namespace tpinfer::launch
