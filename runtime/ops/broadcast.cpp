#include "runtime/ops/broadcast.hpp"

#include <algorithm>
#include <vector>

#include "kernels/base/parallel.hpp"

namespace tpinfer::runtime {
namespace {

constexpr std::int64_t kGrain = 1 << 14;  // elements per task: some microseconds of work

// Strides of an operand along y's dimensions: 0 where it broadcasts.
Shape broadcast_strides(const Shape& operand, const Shape& y) {
  const Shape own = strides_of(operand);
  Shape strides(y.size(), 0);
  for (std::size_t d = 0; d < operand.size(); ++d) {
    if (operand[d] != 1) strides[y.size() - operand.size() + d] = own[d];
  }
  return strides;
}

}  // namespace

void for_each_run(const Shape& a, const Shape& b, const Shape& y,
                  const std::function<void(const Run&)>& body) {
  Shape extent = y, as = broadcast_strides(a, y), bs = broadcast_strides(b, y);
  if (extent.empty()) extent = as = bs = {1};
  if (std::find(extent.begin(), extent.end(), 0) != extent.end()) return;
  // Neighbouring dimensions that advance alike in both operands are one.
  for (std::size_t d = extent.size() - 1; d > 0; --d) {
    const bool joins = extent[d - 1] == 1 || extent[d] == 1 ||
                       (as[d - 1] == as[d] * extent[d] && bs[d - 1] == bs[d] * extent[d]);
    if (!joins) continue;
    if (extent[d] == 1) as[d] = as[d - 1], bs[d] = bs[d - 1];
    extent[d] *= extent[d - 1];
    for (Shape* shape : {&extent, &as, &bs}) {
      shape->erase(shape->begin() + static_cast<std::ptrdiff_t>(d) - 1);
    }
  }
  const std::size_t last = extent.size() - 1;
  const std::int64_t inner = extent[last];
  const std::int64_t a_step = as[last], b_step = bs[last];
  std::int64_t outer = 1;
  for (std::size_t d = 0; d < last; ++d) outer *= extent[d];
  auto start = [&](std::int64_t row, const Shape& strides) {
    std::int64_t at = 0;
    for (std::size_t d = last; d-- > 0;) {
      at += row % extent[d] * strides[d];
      row /= extent[d];
    }
    return at;
  };
  if (outer == 1) {
    parallel_ranges(inner, kGrain, [&](std::int64_t begin, std::int64_t end) {
      body({begin * a_step, a_step, begin * b_step, b_step, begin, end - begin});
    });
    return;
  }
  parallel_ranges(outer, std::max<std::int64_t>(1, kGrain / inner),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      body({start(row, as), a_step, start(row, bs), b_step, row * inner, inner});
                    }
                  });
}

}  // namespace tpinfer::runtime
