// Floats made from integers by a fixed hash: the same on every machine and library.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace tpinfer::kernels {

// A well mixed 32-bit value for each index (the finaliser of MurmurHash3).
inline std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

// Any bit pattern: all exponents, denormals, infinities and NaN among them.
inline std::vector<float> any_floats(std::size_t count, std::uint32_t seed) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    x[i] = std::bit_cast<float>(mixed(static_cast<std::uint32_t>(i) + seed));
  }
  return x;
}

// Evenly spread over [-limit, limit).
inline std::vector<float> spread_floats(std::size_t count, std::uint32_t seed, float limit) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t h = mixed(static_cast<std::uint32_t>(i) + seed) >> 8;
    x[i] = (static_cast<float>(h) * 0x1p-23f - 1.0f) * limit;
  }
  return x;
}

}  // namespace tpinfer::kernels
