// Test data that is the same everywhere: a hash of (seed, index), no library's random numbers.
#pragma once

#include <cstdint>
#include <vector>

namespace tpinfer::test {

// The finaliser of MurmurHash3 over both numbers.
inline std::uint32_t hash(std::uint32_t seed, std::uint32_t index) {
  std::uint32_t h = seed * 0x9E3779B9U + index;
  h = (h ^ (h >> 16)) * 0x85EBCA6BU;
  h = (h ^ (h >> 13)) * 0xC2B2AE35U;
  return h ^ (h >> 16);
}

// Full 24-bit mantissas in [-1, 1).
inline std::vector<float> noise(std::uint32_t seed, std::int64_t count) {
  std::vector<float> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto bits = static_cast<std::int32_t>(hash(seed, static_cast<std::uint32_t>(i)));
    out[i] = static_cast<float>(bits >> 7) * 0x1p-24F;
  }
  return out;
}

// Integers in [-limit, limit].
inline std::vector<float> integers(std::uint32_t seed, std::int64_t count, int limit) {
  std::vector<float> out(static_cast<std::size_t>(count));
  const auto values = static_cast<std::uint32_t>(2 * limit + 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t value = hash(seed, static_cast<std::uint32_t>(i)) % values;
    out[i] = static_cast<float>(static_cast<int>(value) - limit);
  }
  return out;
}

}  // namespace tpinfer::test
