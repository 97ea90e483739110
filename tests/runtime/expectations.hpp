// What operators are expected to give.
#pragma once

#include <cmath>
#include <vector>

#include "tests/runtime/calls.hpp"

namespace tpinfer::runtime::test {

// Exactly these elements; floats by their bits, so that -0 is not 0.
template <typename T>
void expect_array(const Array& got, DType dtype, const Shape& shape, const std::vector<T>& values) {
  EXPECT_EQ(got.dtype, dtype);
  EXPECT_EQ(to_text(got.shape), to_text(shape));
  const std::vector<T> elements = values_of<T>(got);
  ASSERT_EQ(elements.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool same = std::memcmp(&elements[i], &values[i], sizeof(T)) == 0 ||
                      (elements[i] != elements[i] && values[i] != values[i]);  // any NaN
    EXPECT_TRUE(same) << "element " << i << " is " << +elements[i] << ", wanted " << +values[i];
  }
}

inline void expect_f32(const Array& got, const Shape& shape, const std::vector<float>& values) {
  expect_array(got, DType::f32, shape, values);
}
inline void expect_i64(const Array& got, const Shape& shape,
                       const std::vector<std::int64_t>& values) {
  expect_array(got, DType::i64, shape, values);
}

// Within a few roundings of float32 (2^-24 relative each) of values computed in double.
inline void expect_close(const Array& got, const Shape& shape, const std::vector<double>& values,
                         double roundings = 8) {
  EXPECT_EQ(to_text(got.shape), to_text(shape));
  const std::vector<float> elements = values_of<float>(got);
  ASSERT_EQ(elements.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double allowed = roundings * 0x1p-24 * std::max(1e-30, std::abs(values[i]));
    EXPECT_NEAR(elements[i], values[i], allowed) << "element " << i;
  }
}

}  // namespace tpinfer::runtime::test
