// Cast (ONNX Cast-13) between float32, the integers and bool.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/integers.hpp"
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
  return *dtype;
}

// Floating-point tensors are float32 whatever their name: a cast to float16 or bfloat16 rounds to
// that type's values, a cast to float64 changes nothing.
RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  const std::string dims = term(factors(request.shapes[0].size()));
  const DType target = target_of(request.node);
  return {{dims + " -> " + dims, {}}, {is_float(target) ? DType::f32 : target}};
}

float round_to_bf16(float value) {
  if (std::isnan(value)) return value;
  auto bits = std::bit_cast<std::uint32_t>(value);
  bits += 0x7fff + ((bits >> 16) & 1);  // to nearest, ties to even
  return std::bit_cast<float>(bits & 0xffff0000);
}

void round_elements(DType target, const View& y) {
  if (target != DType::f16 && target != DType::bf16) return;
  auto* values = y.as<float>();
  for (std::int64_t i = 0; i < y.count(); ++i) {
    values[i] = target == DType::bf16 ? round_to_bf16(values[i])
                                      : static_cast<float>(static_cast<_Float16>(values[i]));
  }
}

template <typename From, typename To>
void cast_elements(const View& x, const View& y) {
  parallel_ranges(x.count(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y.as<To>()[i] = number_as<To>(x.as<From>()[i]);
  });
}

// Booleans are bytes that are 0 or 1.
template <typename From>
void to_boolean(const View& x, const View& y) {
  for (std::int64_t i = 0; i < x.count(); ++i) y.as<std::uint8_t>()[i] = x.as<From>()[i] != 0;
}

template <typename From>
void cast_from(const View& x, const View& y) {
  if (y.dtype == DType::f32) return cast_elements<From, float>(x, y);
  if (y.dtype == DType::boolean) return to_boolean<From>(x, y);
  with_integer(y.dtype, [&](auto zero) { cast_elements<From, decltype(zero)>(x, y); });
}

void run(const OpCall& call) {
  const View &x = call.inputs[0].view, &y = call.outputs[0].view;
  if (x.dtype == DType::f32) {
    cast_from<float>(x, y);
  } else if (x.dtype == DType::boolean) {
    cast_from<std::uint8_t>(x, y);
  } else {
    with_integer(x.dtype, [&](auto zero) { cast_from<decltype(zero)>(x, y); });
  }
  round_elements(target_of(call.node), y);
}

}  // namespace

extern const Operator cast_op{rule, run, "round_mode=up saturate=1 to"};

}  // namespace tpinfer::runtime
