// Cast (ONNX Cast-13) between float32, the integers and bool.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

// ONNX's TensorProto.DataType (onnx.proto3): the attribute `to`, also accepted as a name.
DType target_of(const shard::Node& node) {
  struct Row {
    std::int64_t number;
    DType dtype;
  };
  constexpr std::array<Row, 13> kTypes{{{1, DType::f32},
                                        {2, DType::u8},
                                        {3, DType::i8},
                                        {4, DType::u16},
                                        {5, DType::i16},
                                        {6, DType::i32},
                                        {7, DType::i64},
                                        {9, DType::boolean},
                                        {10, DType::f16},
                                        {11, DType::f64},
                                        {12, DType::u32},
                                        {13, DType::u64},
                                        {16, DType::bf16}}};
  const auto attribute = node.attributes.find("to");
  if (attribute == node.attributes.end()) fail(Fault::data, "attribute to is missing");
  std::optional<DType> dtype;
  if (const auto* name = std::get_if<std::string>(&attribute->second)) {
    dtype = parse_dtype(*name);
  } else {
    const std::int64_t number = shard::int_attribute(node, "to", 0);
    for (const Row& row : kTypes) {
      if (row.number == number) dtype = row.dtype;
    }
  }
  if (!dtype) fail(Fault::data, "attribute to names no element type");
  if (is_float(*dtype) && *dtype != DType::f32) {
    fail(Fault::data, fmt::format("a cast to {}: tensors of this release are float32, integers or "
                                  "bool",
                                  name_of(*dtype)));
  }
  return *dtype;
}

RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  const std::string dims = term(factors(request.shapes[0].size()));
  return {{dims + " -> " + dims, {}}, {target_of(request.node)}};
}

// Out-of-range floats saturate and NaN becomes 0, so that the result is the same on every CPU.
template <typename To, typename From>
To convert(From value) {
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

template <typename From, typename To>
void cast_elements(const View& x, const View& y) {
  parallel_ranges(x.count(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y.as<To>()[i] = convert<To>(x.as<From>()[i]);
  });
}

// Booleans are bytes that are 0 or 1.
template <typename From>
void to_boolean(const View& x, const View& y) {
  for (std::int64_t i = 0; i < x.count(); ++i) y.as<std::uint8_t>()[i] = x.as<From>()[i] != 0;
}

template <typename From>
void cast_from(const View& x, const View& y) {
  switch (y.dtype) {
    case DType::f32:
      return cast_elements<From, float>(x, y);
    case DType::i8:
      return cast_elements<From, std::int8_t>(x, y);
    case DType::u8:
      return cast_elements<From, std::uint8_t>(x, y);
    case DType::i16:
      return cast_elements<From, std::int16_t>(x, y);
    case DType::u16:
      return cast_elements<From, std::uint16_t>(x, y);
    case DType::i32:
      return cast_elements<From, std::int32_t>(x, y);
    case DType::u32:
      return cast_elements<From, std::uint32_t>(x, y);
    case DType::i64:
      return cast_elements<From, std::int64_t>(x, y);
    case DType::u64:
      return cast_elements<From, std::uint64_t>(x, y);
    case DType::boolean:
      return to_boolean<From>(x, y);
    default:
      fail(Fault::internal, "Cast to a type its rule refuses");
  }
}

void run(const OpCall& call) {
  const View &x = call.inputs[0].view, &y = call.outputs[0].view;
  switch (x.dtype) {
    case DType::f32:
      return cast_from<float>(x, y);
    case DType::i8:
      return cast_from<std::int8_t>(x, y);
    case DType::u8:
    case DType::boolean:
      return cast_from<std::uint8_t>(x, y);
    case DType::i16:
      return cast_from<std::int16_t>(x, y);
    case DType::u16:
      return cast_from<std::uint16_t>(x, y);
    case DType::i32:
      return cast_from<std::int32_t>(x, y);
    case DType::u32:
      return cast_from<std::uint32_t>(x, y);
    case DType::i64:
      return cast_from<std::int64_t>(x, y);
    case DType::u64:
      return cast_from<std::uint64_t>(x, y);
    default:
      fail(Fault::internal, "Cast from a type that tensors do not have");
  }
}

}  // namespace

extern const Operator cast_op{rule, run};

}  // namespace tpinfer::runtime
