// Tiles and whole products by the BLAS library that the system provides.
#include <cblas.h>

#include "kernels/math/blas_threads.hpp"
#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {
namespace {

void multiply(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
              std::int64_t w_stride, float beta, float* y, std::int64_t y_stride) {
  // Threads are ours (kernels/base/parallel.hpp); the library must not add its own.
  [[maybe_unused]] static const bool once = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<blasint>(shape.rows),
              static_cast<blasint>(shape.columns), static_cast<blasint>(shape.depth), 1.0F, x,
              static_cast<blasint>(x_stride), w, static_cast<blasint>(w_stride), beta, y,
              static_cast<blasint>(y_stride));
}

}  // namespace

void blas_tile(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
               std::int64_t w_stride, float* sum) {
  multiply(shape, x, x_stride, w, w_stride, 1.0F, sum, shape.columns);
}

void blas_product(const TileShape& shape, const float* x, std::int64_t x_stride, const float* w,
                  std::int64_t w_stride, float* y, std::int64_t y_stride) {
  multiply(shape, x, x_stride, w, w_stride, 0.0F, y, y_stride);
}

int set_blas_threads(int threads) {
  const int before = openblas_get_num_threads();
  if (before != threads) openblas_set_num_threads(threads);
  return before;
}

std::string blas_version() {
  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ...": the name and the number.
  const std::string config = openblas_get_config();
  return config.substr(0, config.find(' ', config.find(' ') + 1));
}

}  // namespace tpinfer::kernels
