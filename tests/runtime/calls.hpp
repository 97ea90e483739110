// Calls of single operators in one process: whole, or on pieces as ranks hold them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::runtime::test {

struct Array {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;
  bool present = true;    // false: an optional input left out
  bool constant = false;  // an integer weight, which rules may read

  View view() const {
    // A piece without elements still points somewhere: null means "left out".
    static std::byte nowhere[8];
    if (!present) return {};
    auto* data = const_cast<std::byte*>(bytes.empty() ? nowhere : bytes.data());
    return {data, dtype, shape};
  }
};

template <typename T>
Array array_of(DType dtype, Shape shape, const std::vector<T>& values) {
  EXPECT_EQ(static_cast<std::int64_t>(values.size()), element_count(shape));
  Array array{dtype, std::move(shape), {}, true, false};
  array.bytes.resize(values.size() * sizeof(T));
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

inline Array f32(Shape shape, const std::vector<float>& values) {
  return array_of(DType::f32, std::move(shape), values);
}
inline Array i32(Shape shape, const std::vector<std::int32_t>& values) {
  return array_of(DType::i32, std::move(shape), values);
}
inline Array i64(Shape shape, const std::vector<std::int64_t>& values) {
  return array_of(DType::i64, std::move(shape), values);
}
inline Array u8(Shape shape, const std::vector<std::uint8_t>& values) {
  return array_of(DType::u8, std::move(shape), values);
}
inline Array i8(Shape shape, const std::vector<std::int8_t>& values) {
  return array_of(DType::i8, std::move(shape), values);
}
inline Array booleans(Shape shape, const std::vector<std::uint8_t>& values) {
  return array_of(DType::boolean, std::move(shape), values);
}

// A shape input: an integer vector whose values planning may see.
inline Array constant(const std::vector<std::int64_t>& values) {
  Array array = i64({static_cast<std::int64_t>(values.size())}, values);
  array.constant = true;
  return array;
}

inline Array left_out() { return {DType::f32, {}, {}, false, false}; }

inline Array random(std::uint32_t seed, const Shape& shape, float scale = 1) {
  std::vector<float> values = tpinfer::test::noise(seed, element_count(shape));
  for (float& value : values) value *= scale;
  return f32(shape, values);
}

template <typename T>
std::vector<T> values_of(const Array& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

struct Call {
  std::string op;
  std::vector<Array> inputs;
  shard::Attributes attributes = {};
  std::size_t outputs = 1;

  shard::Node node() const {
    shard::Node node{"n", op, {}, {}, attributes, {}};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      node.inputs.push_back(inputs[i].present ? "in" + std::to_string(i) : "");
    }
    for (std::size_t o = 0; o < outputs; ++o) node.outputs.push_back("out" + std::to_string(o));
    return node;
  }
};

// A call's rule and types, as bind() would make them.
struct BoundCall {
  shard::Node node;
  shard::Rule rule;
  std::vector<Shape> shapes;  // per output
  std::vector<DType> dtypes;
};

inline BoundCall bind(const Call& call) {
  BoundCall bound{call.node(), {}, {}, {}};
  shard::RuleRequest request{bound.node, {}, {}, {}, {}};
  for (const Array& input : call.inputs) {
    request.shapes.push_back(input.shape);
    request.dtypes.push_back(input.dtype);
    request.present.push_back(input.present);
    request.constants.emplace_back();
    if (input.constant) request.constants.back() = values_of<std::int64_t>(input);
  }
  const shard::RuleAnswer answer = operator_table().at(call.op).rule(request);
  bound.rule = shard::bind_rule(call.op, answer.rule, request.shapes);
  bound.shapes = shard::output_shapes(bound.rule);
  bound.dtypes = answer.dtypes;
  EXPECT_GE(bound.shapes.size(), call.outputs);
  return bound;
}

// Memory of an output, filled with a pattern that no operator is to leave behind.
inline Array output_memory(DType dtype, const Shape& shape, std::size_t copies = 1) {
  Array array{dtype, shape, {}, true, false};
  array.bytes.assign(byte_count(shape, dtype) * copies, std::byte{0xA5});
  return array;
}

inline Piece whole(const Array& array) {
  return {array.view(), whole_box(array.shape), array.shape};
}

inline std::vector<Array> run(const Call& call, kernels::Family family = kernels::Family::eigen) {
  const BoundCall bound = bind(call);
  std::vector<Array> outputs;
  std::vector<Piece> in, out;
  for (const Array& input : call.inputs) in.push_back(input.present ? whole(input) : Piece{});
  for (std::size_t o = 0; o < call.outputs; ++o) {
    outputs.push_back(output_memory(bound.dtypes[o], bound.shapes[o]));
  }
  for (const Array& output : outputs) out.push_back(whole(output));
  operator_table().at(call.op).run({bound.node, in, out, family, false});
  return outputs;
}

// The text of the rule's refusal; every refusal is the model's fault (65).
inline std::string refusal(const Call& call) {
  try {
    bind(call);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace tpinfer::runtime::test

#define EXPECT_REFUSED(call, part)                                     \
  do {                                                                 \
    const std::string text_ = ::tpinfer::runtime::test::refusal(call); \
    EXPECT_NE(text_.find(part), text_.npos) << "got: " << text_;       \
  } while (false)
