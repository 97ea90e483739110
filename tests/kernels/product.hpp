// A whole matrix product with its operands, computed in parts by any family of kernels.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/math/matmul.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::test {

using Floats = std::vector<float>;

inline constexpr kernels::Family kFamilies[] = {kernels::Family::reference, kernels::Family::eigen,
                                                kernels::Family::blas};

// Rows [rows) and columns [columns) of a dense matrix with `width` columns.
inline Floats block(const Floats& matrix, std::int64_t width, Range rows, Range columns) {
  Floats out;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const float* row = matrix.data() + i * width;
    out.insert(out.end(), row + columns.begin, row + columns.end);
  }
  return out;
}

// The first element whose bits differ, or -1.
inline std::int64_t first_difference(const Floats& a, const Floats& b) {
  if (a.size() != b.size()) return 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) {
      return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

// A problem of the whole contraction, with its operands.
struct Product {
  std::int64_t m, n, contraction, unit;
  Floats x, w;

  Product(std::int64_t rows, std::int64_t columns, std::int64_t k, std::int64_t k_unit)
      : m(rows),
        n(columns),
        contraction(k),
        unit(k_unit),
        x(noise(1, rows * k)),
        w(noise(2, k * columns)) {}

  // NaN where nothing was written.
  Floats roots(kernels::Family family, Range rows, Range columns, Range k) const {
    const kernels::MatmulProblem problem{rows.size(), columns.size(), contraction, unit, k};
    const std::size_t count = kernels::roots_of(problem).size();
    Floats out(count * static_cast<std::size_t>(problem.m * problem.n), std::nanf(""));
    kernels::matmul_roots(family, problem, block(x, contraction, rows, k).data(),
                          block(w, n, k, columns).data(), out.data());
    return out;
  }
  Floats part(kernels::Family family, Range rows, Range columns) const {
    return roots(family, rows, columns, {0, contraction});
  }
  Floats whole(kernels::Family family) const { return part(family, {0, m}, {0, n}); }
};

// Root mean square error relative to the root mean square result.
inline double error_against_float64(const Product& p, const Floats& y) {
  double error = 0;
  double size = 0;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double exact = 0;
      for (std::int64_t k = 0; k < p.contraction; ++k) {
        exact += static_cast<double>(p.x[static_cast<std::size_t>(i * p.contraction + k)]) *
                 p.w[static_cast<std::size_t>(k * p.n + j)];
      }
      const double difference = y[static_cast<std::size_t>(i * p.n + j)] - exact;
      error += difference * difference;
      size += exact * exact;
    }
  }
  return std::sqrt(error / size);
}

}  // namespace tpinfer::test
