// Walks over two operands that broadcast against an output, run by run.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/base/view.hpp"

namespace tpinfer::runtime {

// A run of elements: y[y_at .. y_at+count) from a[a_at + i*a_step], b[b_at + i*b_step]; steps are
// 0 (broadcast) or 1.
struct Run {
  std::int64_t a_at, a_step, b_at, b_step, y_at, count;
};

// Calls `body` for runs that together cover y, on the process's threads. Shapes are local ones:
// extents of 1 in an operand broadcast.
void for_each_run(const Shape& a, const Shape& b, const Shape& y,
                  const std::function<void(const Run&)>& body);

}  // namespace tpinfer::runtime
