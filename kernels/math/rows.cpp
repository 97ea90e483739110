// Compiled once per instruction set, like functions.cpp and for the same reason: each loop below is
// a sequence of IEEE operations per element or per lane, whatever the width of the vectors.
#include "kernels/math/rows.hpp"

#include "kernels/math/simd_targets.hpp"  // must come before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/math/rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "kernels/math/functions-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tpinfer::kernels {
namespace HWY_NAMESPACE {

constexpr std::int64_t lanes = 16;

// The sum of term(x[i]), as rows.hpp defines it.
template <class Term>
double lane_sum(const float* x, std::int64_t n, Term term) {
  double lane[lanes] = {};
  const std::int64_t whole = n - n % lanes;
  for (std::int64_t i = 0; i < whole; i += lanes) {
    for (std::int64_t j = 0; j < lanes; ++j) lane[j] += term(x[i + j]);
  }
  for (std::int64_t j = 0; j < n - whole; ++j) lane[j] += term(x[whole + j]);
  for (std::int64_t half = lanes / 2; half > 0; half /= 2) {
    for (std::int64_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  }
  return lane[0];
}

struct Itself {
  TPINFER_INLINE double operator()(float x) const { return x; }
};

struct SquareAround {
  double mean;
  TPINFER_INLINE double operator()(float x) const { return (x - mean) * (x - mean); }
};

// exp(x - max), rounded to float: the numerator of softmax.
TPINFER_INLINE float numerator(float x, double max) {
  return static_cast<float>(exact::exp(static_cast<double>(x) - max));
}

struct Numerator {
  double max;
  TPINFER_INLINE double operator()(float x) const { return numerator(x, max); }
};

float sum(const float* x, std::int64_t n) {
  return exact::canonical(static_cast<float>(lane_sum(x, n, Itself{})));
}

// The order of a maximum does not matter, so that this needs no lanes.
float max(const float* x, std::int64_t n) {
  std::int32_t key = exact::order_key<true>(x[0]);
  for (std::int64_t i = 1; i < n; ++i) {
    const std::int32_t next = exact::order_key<true>(x[i]);
    key = next > key ? next : key;
  }
  return exact::from_order_key(key);
}

std::int64_t argmax(const float* x, std::int64_t n) {
  const float largest = max(x, n);
  std::int64_t i = 0;
  if (largest == largest) {
    while (i < n - 1 && x[i] != largest) ++i;
  } else {
    while (i < n - 1 && x[i] == x[i]) ++i;
  }
  return i;
}

void softmax(const float* x, float* y, std::int64_t n) {
  const double largest = max(x, n);
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = numerator(x[i], largest);
  const double scale = 1 / lane_sum(y, n, Itself{});
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = exact::canonical(static_cast<float>(y[i] * scale));
  }
}

void log_softmax(const float* x, float* y, std::int64_t n) {
  const double largest = max(x, n);
  const double logarithm = exact::log(lane_sum(x, n, Numerator{largest}));
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = exact::canonical(static_cast<float>((x[i] - largest) - logarithm));
  }
}

RowMoments layer_norm(const float* x, const float* scale, const float* bias, float epsilon,
                      float* y, std::int64_t n) {
  const double count = static_cast<double>(n);
  const double mean = lane_sum(x, n, Itself{}) / count;
  const double variance = lane_sum(x, n, SquareAround{mean}) / count;
  const double inverse = 1 / __builtin_sqrt(variance + epsilon);
  if (bias != nullptr) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = exact::canonical(static_cast<float>((x[i] - mean) * inverse * scale[i] + bias[i]));
    }
  } else {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = exact::canonical(static_cast<float>((x[i] - mean) * inverse * scale[i]));
    }
  }
  return {exact::canonical(static_cast<float>(mean)),
          exact::canonical(static_cast<float>(inverse))};
}

}  // namespace HWY_NAMESPACE
}  // namespace tpinfer::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tpinfer::kernels {

HWY_EXPORT(sum);
HWY_EXPORT(max);
HWY_EXPORT(argmax);
HWY_EXPORT(softmax);
HWY_EXPORT(log_softmax);
HWY_EXPORT(layer_norm);

float row_sum(const float* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(sum)(x, n); }

float row_max(const float* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(max)(x, n); }

std::int64_t row_argmax(const float* x, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(argmax)(x, n);
}

void softmax_row(const float* x, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(softmax)(x, y, n);
}

void log_softmax_row(const float* x, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(log_softmax)(x, y, n);
}

RowMoments layer_norm_row(const float* x, const float* scale, const float* bias, float epsilon,
                          float* y, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(layer_norm)(x, scale, bias, epsilon, y, n);
}

}  // namespace tpinfer::kernels
#endif  // HWY_ONCE
