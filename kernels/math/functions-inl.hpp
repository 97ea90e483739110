// THE definition of every elementwise function: one scalar expression without branches, used by the
// vector loops (functions.cpp, rows.cpp) and by the reference alike.
#pragma once

#include <cstdint>

#include "kernels/math/double_functions-inl.hpp"
#include "kernels/math/functions.hpp"

namespace tpinfer::kernels::exact {

inline constexpr std::int32_t nan_bits = 0x7fc00000;
inline constexpr std::int32_t infinity_bits = 0x7f800000;
inline constexpr std::int32_t magnitude_bits = 0x7fffffff;

TPINFER_INLINE std::int32_t bits(float x) { return __builtin_bit_cast(std::int32_t, x); }
TPINFER_INLINE float from_bits(std::int32_t x) { return __builtin_bit_cast(float, x); }

// Which of two NaN operands an instruction hands on, and with which sign, differs between
// instructions: one NaN for all.
TPINFER_INLINE float canonical(float x) {
  const std::int32_t b = bits(x);
  return from_bits((b & magnitude_bits) > infinity_bits ? nan_bits : b);
}

// An integer that orders floats with -0 < +0. Every NaN lies above all numbers (nan_on_top) or
// below: its sign is set to say so. Without a select, which would keep maxima from vectorising.
template <bool nan_on_top>
TPINFER_INLINE std::int32_t order_key(float x) {
  const std::int32_t b = bits(x);
  const std::int32_t nan_mask = (infinity_bits - (b & magnitude_bits)) >> 31;  // all ones for NaN
  const std::int32_t nan_sign = nan_mask & ~magnitude_bits;
  const std::int32_t ordered = nan_on_top ? b & ~nan_sign : b | nan_sign;
  return ordered ^ ((ordered >> 31) & magnitude_bits);
}

// The inverse of order_key; the keys of NaN give the canonical one.
TPINFER_INLINE float from_order_key(std::int32_t key) {
  return canonical(from_bits(key ^ ((key >> 31) & magnitude_bits)));
}

TPINFER_INLINE float max(float a, float b) {
  const std::int32_t p = order_key<true>(a), q = order_key<true>(b);
  return from_order_key(p > q ? p : q);
}

TPINFER_INLINE float min(float a, float b) {
  const std::int32_t p = order_key<false>(a), q = order_key<false>(b);
  return from_order_key(p < q ? p : q);
}

TPINFER_INLINE float erf(float x) {
  const double magnitude = __builtin_fabs(static_cast<double>(x));
  const double value = magnitude > 1 ? 1 - erfc(magnitude) : small_erf(magnitude);
  return static_cast<float>(__builtin_copysign(value, static_cast<double>(x)));
}

TPINFER_INLINE float tanh(float x) {
  const double e = expm1(2 * __builtin_fabs(static_cast<double>(x)));
  return static_cast<float>(__builtin_copysign(e / (e + 2), static_cast<double>(x)));
}

// Below -16 gelu is less than half the smallest denormal: computing there as at -16 gives -0.
TPINFER_INLINE float gelu(float x) {
  const double v = x < -16 ? -16 : static_cast<double>(x);
  const double half_tail = 0.5 * erfc(__builtin_fabs(v) * 0x1.6a09e667f3bcdp-1);
  return static_cast<float>(v * (v < 0 ? half_tail : 1 - half_tail));
}

// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)), which does not cancel.
TPINFER_INLINE float gelu_tanh(float x) {
  const double v = x < -16 ? -16 : static_cast<double>(x);
  const double twice_u = 0x1.9884533d43651p+0 * fma(0.044715 * v, v * v, v);
  return static_cast<float>(v / (1 + exp(-twice_u)));
}

template <Unary F>
TPINFER_INLINE float apply(float x, [[maybe_unused]] float alpha, [[maybe_unused]] float beta) {
  const double v = x;
  if constexpr (F == Unary::neg) return canonical(-x);
  if constexpr (F == Unary::abs) return canonical(__builtin_fabsf(x));
  if constexpr (F == Unary::sqrt) return canonical(__builtin_sqrtf(x));
  if constexpr (F == Unary::exp) return canonical(static_cast<float>(exp(v)));
  if constexpr (F == Unary::log) return canonical(static_cast<float>(log(v)));
  if constexpr (F == Unary::erf) return canonical(erf(x));
  if constexpr (F == Unary::sigmoid) return canonical(static_cast<float>(1 / (1 + exp(-v))));
  if constexpr (F == Unary::tanh) return canonical(tanh(x));
  if constexpr (F == Unary::relu) return canonical(x <= 0 ? 0.0f : x);
  if constexpr (F == Unary::leaky_relu) return canonical(x < 0 ? alpha * x : x);
  if constexpr (F == Unary::elu) {
    const float below = static_cast<float>(static_cast<double>(alpha) * expm1(v));
    return canonical(x < 0 ? below : x);
  }
  if constexpr (F == Unary::clip) {
    const float raised = x < alpha ? alpha : x;
    return canonical(raised > beta ? beta : raised);
  }
  if constexpr (F == Unary::gelu) return canonical(gelu(x));
  if constexpr (F == Unary::gelu_tanh) return canonical(gelu_tanh(x));
}

// Rounded to 32 bits before a float's 24, so that a value which a float can hold, or which lies
// half way between two, is not missed by the last bits of the approximation.
TPINFER_INLINE double snapped(double x) {
  const double lifted = x * (0x1p21 + 1);
  return lifted - (lifted - x);
}

// |x|^y for a y with |y| <= 2^100 (more would make inf * 0 of y log2(1)).
TPINFER_INLINE double magnitude_pow(double magnitude, double y) {
  const double power = snapped(exp2(clamp(y, -0x1p100, 0x1p100) * log2(magnitude)));
  const double square_or_power = y == 2 ? magnitude * magnitude : power;
  return y == 0.5 ? __builtin_sqrt(magnitude) : square_or_power;
}

// All in double, also the comparisons: lanes of one width are what compilers vectorise.
TPINFER_INLINE float pow(float base, float exponent) {
  const double x = base, y = exponent;
  const double magnitude = __builtin_fabs(x);
  const double power = magnitude_pow(magnitude, y);
  // Every float from 2^24 on is an even integer: up to 2^25 is far enough to look.
  const double far = __builtin_fabs(y);
  const double n = far < 0x1p25 ? far : 0x1p25;
  const double fraction = n - ((n + rounder) - rounder);             // 0 for integers
  const double oddness = 0.5 * n - ((0.5 * n + rounder) - rounder);  // 0 for even integers
  const double with_sign = __builtin_copysign(power, x);
  const double of_integer = oddness == 0 ? power : with_sign;
  const double of_fraction = x < 0 ? (magnitude < infinity ? __builtin_nan("") : power) : power;
  const double value = fraction == 0 ? of_integer : of_fraction;
  const double unless_one = x == 1 ? 1.0 : value;
  return static_cast<float>(y == 0 ? 1.0 : unless_one);
}

template <Binary F>
TPINFER_INLINE float apply(float a, float b) {
  if constexpr (F == Binary::add) return canonical(a + b);
  if constexpr (F == Binary::sub) return canonical(a - b);
  if constexpr (F == Binary::mul) return canonical(a * b);
  if constexpr (F == Binary::div) return canonical(a / b);
  if constexpr (F == Binary::pow) return canonical(pow(a, b));
  if constexpr (F == Binary::min) return min(a, b);
  if constexpr (F == Binary::max) return max(a, b);
}

}  // namespace tpinfer::kernels::exact
