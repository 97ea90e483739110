// Element types of tensors and of arrays in files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tpinfer {

// Kernels compute in float32; integers and booleans are exact. float64, float16 and bfloat16
// exist in files and are converted when they are read (kernels/formats).
enum class DType : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  boolean
};

// Bytes of one element.
std::size_t size_of(DType dtype);

// NumPy's name: "float32", "bfloat16", "int64", "bool".
std::string_view name_of(DType dtype);

// The inverse of name_of; also takes the short forms "f32", "i64", "bf16". Empty when unknown.
std::optional<DType> parse_dtype(std::string_view name);

bool is_float(DType dtype);    // f32, f64, f16, bf16
bool is_integer(DType dtype);  // the integers, without boolean

// The C++ type that kernels use for an element type they can compute with.
template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};

}  // namespace tpinfer
