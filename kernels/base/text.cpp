#include "kernels/base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace tpinfer {
namespace {

// NumPy's rule for scalars: numpy/core/src/multiarray/scalartypes.c.src, float_type_str_either:
// positional when 1e-4 <= |x| < 1e16 or x == 0, compared wider than T: float32's 1e-4 is below
// 1e-4.
template <typename T>
std::string floating_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const auto magnitude = static_cast<long double>(std::abs(value));
  const bool positional = value == 0 || (magnitude >= 1e-4L && magnitude < 1e16L);
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific);
  std::string scientific(buffer.data(), end.ptr);
  if (!positional) return scientific;
  // Shortest digits d.ddd and exponent, written out without one.
  std::string sign;
  if (scientific[0] == '-') {
    sign = "-";
    scientific.erase(0, 1);
  }
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  std::string digits = scientific.substr(0, 1);
  if (e > 2) digits += scientific.substr(2, e - 2);
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace

std::string number_text(float value) { return floating_text(value); }

std::string element_text(const View& view, std::int64_t index) {
  switch (view.dtype) {
    case DType::f32:
      return floating_text(view.as<float>()[index]);
    case DType::f64:
      return floating_text(view.as<double>()[index]);
    case DType::i8:
      return fmt::format("{}", view.as<std::int8_t>()[index]);
    case DType::u8:
      return fmt::format("{}", view.as<std::uint8_t>()[index]);
    case DType::i16:
      return fmt::format("{}", view.as<std::int16_t>()[index]);
    case DType::u16:
      return fmt::format("{}", view.as<std::uint16_t>()[index]);
    case DType::i32:
      return fmt::format("{}", view.as<std::int32_t>()[index]);
    case DType::u32:
      return fmt::format("{}", view.as<std::uint32_t>()[index]);
    case DType::i64:
      return fmt::format("{}", view.as<std::int64_t>()[index]);
    case DType::u64:
      return fmt::format("{}", view.as<std::uint64_t>()[index]);
    case DType::boolean:
      return view.as<std::uint8_t>()[index] ? "True" : "False";
    case DType::f16:
    case DType::bf16:
      break;  // exist in files only
  }
  return "?";
}

std::string counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string bytes_text(std::size_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace tpinfer
