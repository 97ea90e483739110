#include "kernels/base/dtype.hpp"

#include <array>

namespace tpinfer {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::string_view short_name;
  std::size_t bytes;
};

// In the order of the enumeration.
constexpr std::array<Row, 13> kRows{{
    {DType::f32, "float32", "f32", 4},
    {DType::f64, "float64", "f64", 8},
    {DType::f16, "float16", "f16", 2},
    {DType::bf16, "bfloat16", "bf16", 2},
    {DType::i8, "int8", "i8", 1},
    {DType::u8, "uint8", "u8", 1},
    {DType::i16, "int16", "i16", 2},
    {DType::u16, "uint16", "u16", 2},
    {DType::i32, "int32", "i32", 4},
    {DType::u32, "uint32", "u32", 4},
    {DType::i64, "int64", "i64", 8},
    {DType::u64, "uint64", "u64", 8},
    {DType::boolean, "bool", "bool", 1},
}};

const Row& row_of(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) { return row_of(dtype).bytes; }

std::string_view name_of(DType dtype) { return row_of(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const Row& row : kRows) {
    if (name == row.name || name == row.short_name) return row.dtype;
  }
  return std::nullopt;
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

bool is_integer(DType dtype) { return !is_float(dtype) && dtype != DType::boolean; }

}  // namespace tpinfer
