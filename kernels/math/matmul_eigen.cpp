// Tiles by Eigen's matrix product, and by its packets. This file is compiled for AVX2 and FMA on
// x86 (kernels/CMakeLists.txt) and entered only on a CPU that has them.
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Input = Eigen::Map<const Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;
using Output = Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;

using Packet = Eigen::internal::packet_traits<float>::type;
constexpr int kLanes = Eigen::internal::packet_traits<float>::size;

// One chain per lane, all in registers: 8 packets hide the latency of a multiply-add.
template <int kRows, int kPackets>
void chain_packets(std::int64_t depth, const float* x, std::int64_t x_stride, const float* w,
                   std::int64_t w_stride, float* sum, std::int64_t sum_stride) {
  using Eigen::internal::padd;
  using Eigen::internal::ploadu;
  using Eigen::internal::pmadd;
  using Eigen::internal::pset1;
  using Eigen::internal::pstoreu;
  Packet chain[kRows][kPackets];
  for (auto& row : chain) {
    for (Packet& packet : row) packet = pset1<Packet>(0.0F);
  }
  for (std::int64_t p = 0; p < depth; ++p) {
    for (int j = 0; j < kPackets; ++j) {
      const Packet column = ploadu<Packet>(w + p * w_stride + j * kLanes);
      for (int i = 0; i < kRows; ++i) {
        chain[i][j] = pmadd(pset1<Packet>(x[i * x_stride + p]), column, chain[i][j]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kPackets; ++j) {
      float* to = sum + i * sum_stride + j * kLanes;
      pstoreu(to, padd(ploadu<Packet>(to), chain[i][j]));
    }
  }
}

// One row: chains stay in the L1 cache, and several rows of w are read at a time, each a long
// contiguous piece, as the memory likes it.
constexpr std::int64_t kRowColumns = 512;

template <int kDepth>
void chain_steps(const float* x, const float* w, std::int64_t w_stride, std::int64_t columns,
                 float* chain) {
  using Eigen::internal::ploadu;
  using Eigen::internal::pmadd;
  using Eigen::internal::pset1;
  using Eigen::internal::pstoreu;
  Packet factor[kDepth];
  for (int p = 0; p < kDepth; ++p) factor[p] = pset1<Packet>(x[p]);
  std::int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    Packet sum = ploadu<Packet>(chain + j);
    for (int p = 0; p < kDepth; ++p) {
      sum = pmadd(factor[p], ploadu<Packet>(w + p * w_stride + j), sum);
    }
    pstoreu(chain + j, sum);
  }
  for (; j < columns; ++j) {
    for (int p = 0; p < kDepth; ++p) chain[j] = std::fma(x[p], w[p * w_stride + j], chain[j]);
  }
}

void chain_row(std::int64_t depth, std::int64_t columns, const float* x, const float* w,
               std::int64_t w_stride, float* sum) {
  float chain[kRowColumns] = {};
  std::int64_t p = 0;
  for (; p + 8 <= depth; p += 8) chain_steps<8>(x + p, w + p * w_stride, w_stride, columns, chain);
  for (; p < depth; ++p) chain_steps<1>(x + p, w + p * w_stride, w_stride, columns, chain);
  for (std::int64_t j = 0; j < columns; ++j) sum[j] += chain[j];
}

template <int kRows>
void chain_column(std::int64_t depth, const float* x, std::int64_t x_stride, const float* w,
                  std::int64_t w_stride, float* sum, std::int64_t sum_stride) {
  float chain[kRows] = {};
  for (std::int64_t p = 0; p < depth; ++p) {
    for (int i = 0; i < kRows; ++i) {
      chain[i] = std::fma(x[i * x_stride + p], w[p * w_stride], chain[i]);
    }
  }
  for (int i = 0; i < kRows; ++i) sum[i * sum_stride] += chain[i];
}

template <int kRows>
void chain_rows(std::int64_t first, const TileShape& shape, const float* x, std::int64_t x_stride,
                const float* w, std::int64_t w_stride, float* sum) {
  constexpr int kPackets = 8 / kRows;
  const float* rows = x + first * x_stride;
  float* to = sum + first * shape.columns;
  std::int64_t j = 0;
  for (; j + kPackets * kLanes <= shape.columns; j += kPackets * kLanes) {
    chain_packets<kRows, kPackets>(shape.depth, rows, x_stride, w + j, w_stride, to + j,
                                   shape.columns);
  }
  for (; j + kLanes <= shape.columns; j += kLanes) {
    chain_packets<kRows, 1>(shape.depth, rows, x_stride, w + j, w_stride, to + j, shape.columns);
  }
  for (; j < shape.columns; ++j) {
    chain_column<kRows>(shape.depth, rows, x_stride, w + j, w_stride, to + j, shape.columns);
  }
}

}  // namespace

void chain_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                std::int64_t w_stride, float* sum) {
  std::int64_t i = 0;
  for (; i + 4 <= shape.rows; i += 4) chain_rows<4>(i, shape, x, x_stride, w, w_stride, sum);
  for (; i + 2 <= shape.rows; i += 2) chain_rows<2>(i, shape, x, x_stride, w, w_stride, sum);
  for (; i < shape.rows; ++i) {
    for (std::int64_t j = 0; j < shape.columns; j += kRowColumns) {
      chain_row(shape.depth, std::min(kRowColumns, shape.columns - j), x + i * x_stride, w + j,
                w_stride, sum + i * shape.columns + j);
    }
  }
}

void eigen_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                std::int64_t w_stride, float* sum) {
  const Input left(x, shape.rows, shape.depth, Eigen::OuterStride<>(x_stride));
  const Input right(w, shape.depth, shape.columns, Eigen::OuterStride<>(w_stride));
  Output to(sum, shape.rows, shape.columns, Eigen::OuterStride<>(shape.columns));
  to.noalias() += left * right;
}

void eigen_product(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                   std::int64_t w_stride, float* y, std::int64_t y_stride) {
  const Input left(x, shape.rows, shape.depth, Eigen::OuterStride<>(x_stride));
  const Input right(w, shape.depth, shape.columns, Eigen::OuterStride<>(w_stride));
  Output to(y, shape.rows, shape.columns, Eigen::OuterStride<>(y_stride));
  to.noalias() = left * right;
}

}  // namespace tpinfer::kernels
