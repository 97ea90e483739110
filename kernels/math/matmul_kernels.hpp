// What a family of kernels supplies; internal to the matmul files of this folder.
#pragma once

#include <compare>
#include <cstdint>

#include "kernels/math/matmul.hpp"

namespace tpinfer::kernels {

struct TileShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t depth = 0;  // of one block: 1 to kBlockDepth
  auto operator<=>(const TileShape&) const = default;
};

// A chain of multiply-adds is never longer. Eigen and OpenBLAS cut a longer one at places of
// their own (Eigen above 288 with an L1 cache of 32 KiB).
inline constexpr std::int64_t kBlockDepth = 256;

// sum[i][j] += (the chain from +0 over p of x[i][p] w[p][j]), rounded once more by the addition.
// x_stride and w_stride are elements between rows; `sum` is dense.
using TileFunction = void (*)(const TileShape& shape, const float* x, std::int64_t x_stride,
                              const float* w, std::int64_t w_stride, float* sum);

// The definition (matmul_reference.cpp).
void reference_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                    std::int64_t w_stride, float* sum);
void reference_roots(const MatmulProblem& problem, const float* x, const float* w, float* out);

// matmul_eigen.cpp is compiled for AVX2 and FMA on x86: call only if cpu_runs_eigen().
bool cpu_runs_eigen();
// Chains written with Eigen's packets, without packing: any shape; the fastest for few rows.
void chain_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                std::int64_t w_stride, float* sum);
void eigen_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                std::int64_t w_stride, float* sum);
// y[rows][columns] = x w with rows of y `y_stride` apart; depth is not limited.
void eigen_product(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                   std::int64_t w_stride, float* y, std::int64_t y_stride);

// matmul_blas.cpp
void blas_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
               std::int64_t w_stride, float* sum);
void blas_product(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                  std::int64_t w_stride, float* y, std::int64_t y_stride);

// The first of the family's kernels that equals reference_tile at this shape on this CPU
// (matmul_proof.cpp). Tested once per process and shape; any thread may ask.
struct ProvenTile {
  TileFunction function;
  const char* name;
};
ProvenTile proven_tile(Family family, const TileShape& shape);

// Whether so few rows are best left to chain_tile, which needs no padded columns: a library packs
// w for a few uses only. OpenBLAS does not pack small products, unless there is one row.
inline bool prefers_chain(Family family, std::int64_t rows) {
  return rows <= (family == Family::blas ? 1 : 8);
}

}  // namespace tpinfer::kernels
