#include "kernels/base/base64.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer {
namespace {

// OpenSSL counts in int: whole groups, a few MiB at a time.
constexpr std::size_t kGroups = std::size_t{1} << 20;

bool in_alphabet(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

}  // namespace

std::vector<std::byte> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    fail(Fault::data,
         fmt::format("base64 of {} characters, which is no multiple of 4", text.size()));
  }
  const std::size_t padding =
      text.ends_with("==") ? 2 : static_cast<std::size_t>(text.ends_with("="));
  const std::string_view body = text.substr(0, text.size() - padding);
  const auto odd = std::find_if_not(body.begin(), body.end(), in_alphabet);
  if (odd != body.end()) {
    fail(Fault::data,
         fmt::format("base64 with a wrong character at position {}", odd - body.begin()));
  }
  std::vector<std::byte> bytes(text.size() / 4 * 3);
  const auto* from = reinterpret_cast<const unsigned char*>(text.data());
  auto* to = reinterpret_cast<unsigned char*>(bytes.data());
  for (std::size_t group = 0, all = text.size() / 4; group < all; group += kGroups) {
    const auto count = static_cast<int>(std::min(kGroups, all - group));
    if (EVP_DecodeBlock(to + group * 3, from + group * 4, count * 4) != count * 3) {
      fail(Fault::data, "base64 that cannot be decoded");
    }
    beat();
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

std::string encode_base64(const void* data, std::size_t bytes) {
  std::string text((bytes + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const auto* from = static_cast<const unsigned char*>(data);
  auto* to = reinterpret_cast<unsigned char*>(text.data());
  for (std::size_t group = 0, all = (bytes + 2) / 3; group < all; group += kGroups) {
    const std::size_t count = std::min(kGroups * 3, bytes - group * 3);
    EVP_EncodeBlock(to + group * 4, from + group * 3, static_cast<int>(count));
    beat();
  }
  text.pop_back();
  return text;
}

}  // namespace tpinfer
