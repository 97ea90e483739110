// Integer element types: from the name to the C++ type, from one type to another.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/base/dtype.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::runtime {

// Calls body(T{}) with the type of the elements. Precondition: is_integer(dtype).
template <typename Body>
auto with_integer(DType dtype, Body body) {
  switch (dtype) {
    case DType::i8:
      return body(std::int8_t{});
    case DType::u8:
      return body(std::uint8_t{});
    case DType::i16:
      return body(std::int16_t{});
    case DType::u16:
      return body(std::uint16_t{});
    case DType::i32:
      return body(std::int32_t{});
    case DType::u32:
      return body(std::uint32_t{});
    case DType::u64:
      return body(std::uint64_t{});
    case DType::i64:
      return body(std::int64_t{});
    default:
      fail(Fault::internal, "an operator met an element type that its rule refuses");
  }
}

// Out-of-range floats saturate and NaN becomes 0, so that the result is the same on every CPU.
template <typename To, typename From>
To number_as(From value) {
  if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To>) {
    if (std::isnan(value)) return 0;
    const double wide = std::trunc(static_cast<double>(value));
    if (wide <= static_cast<double>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    if (wide >= static_cast<double>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace tpinfer::runtime
