#include "kernels/base/shape.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"

namespace tpinfer {

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (std::int64_t extent : shape) {
    if (extent < 0)
      fail(Fault::data, fmt::format("shape {} has a negative extent", to_text(shape)));
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, extent, &count)) {
      fail(Fault::data, fmt::format("shape {} overflows: more than 2^63 elements", to_text(shape)));
    }
  }
  return empty ? 0 : count;
}

std::size_t byte_count(const Shape& shape, DType dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(element_count(shape), static_cast<std::int64_t>(size_of(dtype)),
                             &bytes)) {
    fail(Fault::data, fmt::format("shape {} overflows: more than 2^63 bytes", to_text(shape)));
  }
  return static_cast<std::size_t>(bytes);
}

std::string to_text(const Shape& shape) {
  if (shape.size() == 1) return fmt::format("({},)", shape[0]);
  return fmt::format("({})", fmt::join(shape, ","));
}

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 1; i <= out.size(); ++i) {
    const std::int64_t extent_a = i <= a.size() ? a[a.size() - i] : 1;
    const std::int64_t extent_b = i <= b.size() ? b[b.size() - i] : 1;
    if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
      fail(Fault::data, fmt::format("shapes {} and {} do not broadcast", to_text(a), to_text(b)));
    }
    out[out.size() - i] = extent_a == 1 ? extent_b : extent_a;
  }
  return out;
}

}  // namespace tpinfer
