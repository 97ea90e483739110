#include "kernels/base/base64.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer {
namespace {

std::string decoded(const std::string& text) {
  const std::vector<std::byte> bytes = decode_base64(text);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// RFC 4648, section 10.
TEST(Base64, KnowsThePublishedVectors) {
  const std::vector<std::pair<std::string, std::string>> cases{{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : cases) {
    EXPECT_EQ(encode_base64(plain.data(), plain.size()), text);
    EXPECT_EQ(decoded(text), plain);
  }
}

TEST(Base64, IsStrict) {
  for (const char* text : {"Zg=", "Zg", "Z", "Zg==Zg==", "Zg= ", "Zm9\n", "Z===", "====", "Zm9-",
                           " Zg=", "Zm9vYg==\n", "=AAA"}) {
    EXPECT_THROW(decode_base64(text), Error) << text;
  }
}

TEST(Base64, ReturnsWhatItWasGivenAtAnySize) {
  std::mt19937 draw(3);
  for (const std::size_t size : {1U, 2U, 3U, 1000U, (3U << 20) - 1, (3U << 20), (3U << 20) + 2}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(draw());
    EXPECT_EQ(decoded(encode_base64(bytes.data(), size)), bytes) << size;
  }
}

}  // namespace
}  // namespace tpinfer
