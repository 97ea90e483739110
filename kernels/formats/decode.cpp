#include "kernels/formats/decode.hpp"

#include <bit>
#include <cstring>

namespace tpinfer::kernels {
namespace {

static_assert(std::endian::native == std::endian::little,
              "stored elements are little-endian and are read without swapping");

template <typename From, typename Convert>
void decode_floats(const void* in, void* out, std::int64_t count, Convert convert) {
  const auto* from = static_cast<const unsigned char*>(in);
  auto* to = static_cast<float*>(out);
  for (std::int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    to[i] = convert(value);
  }
}

void decode_booleans(const void* in, void* out, std::int64_t count) {
  const auto* from = static_cast<const unsigned char*>(in);
  auto* to = static_cast<unsigned char*>(out);
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] != 0 ? 1 : 0;
}

}  // namespace

DType compute_dtype(DType stored) { return is_float(stored) ? DType::f32 : stored; }

float float_of_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) {  // infinity and NaN keep their fraction
    return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  }
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

float float_of_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

void decode(DType stored, const void* in, void* out, std::int64_t count) {
  switch (stored) {
    case DType::f64:
      return decode_floats<double>(in, out, count, [](double v) { return static_cast<float>(v); });
    case DType::f16:
      return decode_floats<std::uint16_t>(in, out, count, float_of_half);
    case DType::bf16:
      return decode_floats<std::uint16_t>(in, out, count, float_of_bfloat);
    case DType::boolean:
      return decode_booleans(in, out, count);
    default:
      if (in != out && count > 0) {
        std::memcpy(out, in, static_cast<std::size_t>(count) * size_of(stored));
      }
  }
}

}  // namespace tpinfer::kernels
