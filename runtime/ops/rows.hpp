// Operators that work along whole axes: their rows, gathered where they are not contiguous.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/base/view.hpp"

namespace tpinfer::runtime {

// `x` as [outer][row][inner], where `row` is the dimensions [first, first + count).
struct Rows {
  std::int64_t outer = 1, row = 1, inner = 1;
};
Rows rows_of(const Shape& shape, std::size_t first, std::size_t count);

// Calls body(row_in, row_out) for every row along one axis, on the process's threads; rows are
// contiguous copies when inner > 1. x and y have one shape.
void for_each_row(const float* x, float* y, const Rows& rows,
                  const std::function<void(const float*, float*)>& body);

// `x` with the dimensions in `last` moved behind the others (which keep their order): dense.
// Returns `x` itself when they are there already, else a copy in `storage`.
View moved_last(const View& x, const std::vector<std::size_t>& last,
                std::vector<std::byte>& storage);

}  // namespace tpinfer::runtime
