#include "runtime/ops/rows.hpp"

#include <algorithm>

#include "kernels/base/parallel.hpp"
#include "runtime/ops/strided_copy.hpp"

namespace tpinfer::runtime {

Rows rows_of(const Shape& shape, std::size_t first, std::size_t count) {
  Rows rows;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    (d < first ? rows.outer : d < first + count ? rows.row : rows.inner) *= shape[d];
  }
  return rows;
}

void for_each_row(const float* x, float* y, const Rows& rows,
                  const std::function<void(const float*, float*)>& body) {
  const std::int64_t count = rows.outer * rows.inner;
  if (count == 0 || rows.row == 0) return;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 13) / rows.row);
  parallel_ranges(count, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> in, out;
    for (std::int64_t i = begin; i < end; ++i) {
      if (rows.inner == 1) {
        body(x + i * rows.row, y + i * rows.row);
        continue;
      }
      in.resize(static_cast<std::size_t>(rows.row));
      out.resize(in.size());
      const std::int64_t at = i / rows.inner * rows.row * rows.inner + i % rows.inner;
      for (std::int64_t k = 0; k < rows.row; ++k)
        in[static_cast<std::size_t>(k)] = x[at + k * rows.inner];
      body(in.data(), out.data());
      for (std::int64_t k = 0; k < rows.row; ++k)
        y[at + k * rows.inner] = out[static_cast<std::size_t>(k)];
    }
  });
}

View moved_last(const View& x, const std::vector<std::size_t>& last,
                std::vector<std::byte>& storage) {
  const Shape strides = strides_of(x.shape);
  std::vector<std::size_t> order;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    if (std::find(last.begin(), last.end(), d) == last.end()) order.push_back(d);
  }
  order.insert(order.end(), last.begin(), last.end());
  Shape shape, moved;
  for (std::size_t d : order) {
    shape.push_back(x.shape[d]);
    moved.push_back(strides[d]);
  }
  if (std::is_sorted(order.begin(), order.end())) return {x.data, x.dtype, shape};
  storage.resize(x.bytes());
  strided_copy(x.data, 0, moved, storage.data(), shape, size_of(x.dtype));
  return {storage.data(), x.dtype, shape};
}

}  // namespace tpinfer::runtime
