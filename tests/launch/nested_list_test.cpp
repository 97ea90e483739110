#include "launch/requests/nested_list.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

// "[" opens, "]" closes, anything else between blanks is an element.
NestedList list_of(const std::string& text) {
  NestedList list;
  std::string word;
  for (const char c : text + " ") {
    if (c != '[' && c != ']' && c != ' ') {
      word += c;
      continue;
    }
    if (word == "t" || word == "f") {
      list.boolean(word == "t");
    } else if (word.find_first_of(".e") != std::string::npos || word.size() > 20 ||
               (word.size() == 20 && word[0] == '-')) {  // as the JSON parser has it
      list.real(word);
    } else if (word.size() > 18) {
      list.large_integer(std::stoull(word));
    } else if (!word.empty()) {
      list.integer(std::stoll(word));
    }
    word.clear();
    if (c == '[') list.open();
    if (c == ']') list.close();
  }
  return list;
}

template <typename T>
std::vector<T> copied(const std::string& text, DType dtype) {
  const NestedList list = list_of(text);
  std::vector<T> values(static_cast<std::size_t>(element_count(list.shape())));
  list.copy_to({values.data(), dtype, list.shape()});
  return values;
}

std::string refusal(const std::string& text, DType dtype) {
  try {
    copied<std::int64_t>(text, dtype);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(NestedList, HasTheShapeOfItsLists) {
  EXPECT_EQ(list_of("[[1 2 3][4 5 6]]").shape(), (Shape{2, 3}));
  EXPECT_EQ(list_of("7").shape(), Shape{});
  EXPECT_EQ(list_of("[]").shape(), Shape{0});
  EXPECT_EQ(list_of("[[][]]").shape(), (Shape{2, 0}));
  EXPECT_EQ(list_of("[[[1]][[2]]]").shape(), (Shape{2, 1, 1}));
  for (const char* text : {"[[1 2 3][4 5 6]]", "7", "[]", "[[][]]"}) {
    EXPECT_EQ(list_of(text).problem(), "") << text;
  }
}

TEST(NestedList, RefusesWhatIsNoTensor) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"[[1 2][3]]", "a size of 1 along dimension 1, expected 2"},
      {"[[1][2 3]]", "a size of 2 along dimension 1, expected 1"},
      {"[[[1][2]][[3]]]", "a size of 1 along dimension 1, expected 2"},
      {"[[][1]]", "a size of 1 along dimension 1, expected 0"},
      {"[1[2]]", "a list where dimension 1 has numbers"},
      {"[[1]2]", "a number where dimension 1 has lists"},
      {"[[]1]", "a number where dimension 1 has lists"},
      {"[1 t]", "mixes"},
      {"[f 0]", "mixes"},
      {"[1e39]", "1e39 is beyond float32"},
      {"[-1e39]", "-1e39 is beyond float32"},
      {"[[[[[[[[[1]]]]]]]]]", "more than 8 dimensions"}};
  for (const auto& [text, part] : cases) {
    EXPECT_NE(list_of(text).problem().find(part), std::string::npos)
        << text << ": " << list_of(text).problem();
  }
}

TEST(NestedList, FloatsAreTheNearestOnes) {
  // The last two differ when a double is rounded again: 1 + 2^-24 + a little more than nothing.
  EXPECT_EQ(
      copied<float>("[0.1 -0.0 1e-45 3.4028235e38 16777217.0 1.00000005960464477540]", DType::f32),
      (std::vector<float>{0.1F, -0.0F, 1e-45F, 3.4028235e38F, 16777216.F, 0x1.000002p0F}));
  EXPECT_TRUE(std::signbit(copied<float>("[-0.0]", DType::f32)[0]));
}

TEST(NestedList, IntegersServeAsFloatsWhereExact) {
  EXPECT_EQ(copied<float>("[1 2.5 -16777216]", DType::f32),
            (std::vector<float>{1, 2.5, -16777216}));
  EXPECT_EQ(copied<float>("[9007199254740992]", DType::f32),
            (std::vector<float>{9007199254740992.F}));
  EXPECT_EQ(copied<float>("[9223372036854775808]", DType::f32), (std::vector<float>{0x1p63F}));
}

TEST(NestedList, RefusesIntegersThatAFloatDoesNotHold) {
  for (const char* text : {"[16777217]", "[1 16777217]", "[0.5 16777217]", "[16777217 0.5]"}) {
    EXPECT_NE(refusal(text, DType::f32).find("16777217 has no exact float32"), std::string::npos)
        << text;
  }
  EXPECT_NE(refusal("[9223372036854775807]", DType::f32), "");
  EXPECT_NE(refusal("[-9223372036854775809]", DType::f32), "");
  EXPECT_NE(refusal("[18446744073709551615]", DType::f32), "");
}

TEST(NestedList, KeepsIntegersAndBooleansExact) {
  EXPECT_EQ(copied<std::int64_t>("[999999999999999999 -1]", DType::i64),
            (std::vector<std::int64_t>{999999999999999999, -1}));
  EXPECT_EQ(copied<std::uint8_t>("[0 255]", DType::u8), (std::vector<std::uint8_t>{0, 255}));
  EXPECT_EQ(copied<std::uint8_t>("[t f]", DType::boolean), (std::vector<std::uint8_t>{1, 0}));
  EXPECT_NE(refusal("[256]", DType::u8).find("256 at element 0 is outside uint8"),
            std::string::npos);
  EXPECT_NE(refusal("[-1]", DType::u64), "");
  EXPECT_NE(refusal("[1.0]", DType::i32).find("floats"), std::string::npos);
  EXPECT_NE(refusal("[1]", DType::boolean).find("integers"), std::string::npos);
  EXPECT_NE(refusal("[t]", DType::f32).find("true and false"), std::string::npos);
  EXPECT_EQ(refusal("[]", DType::boolean), "");
}

}  // namespace
}  // namespace tpinfer::launch
