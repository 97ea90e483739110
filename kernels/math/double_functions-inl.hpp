// The transcendental functions in double, without branches: what the float functions round.
// Only fma, +, -, *, /, conversions and bit operations occur, each correctly rounded by IEEE 754,
// so a compiler may vectorise them at any width without changing a bit. Always inlined: the code
// takes the instruction set of the function that calls it.
//
// Polynomials are minimax (Chebyshev) fits; the relative error of each stands beside it. A float
// keeps 24 bits, so 2^-37 costs less than a ten-thousandth of its last place.
#pragma once

#include <cstdint>

#ifdef __FAST_MATH__
#error "the bits of the results are defined: build without -ffast-math"
#endif

#define TPINFER_INLINE [[gnu::always_inline]] inline

namespace tpinfer::kernels::exact {

inline constexpr double log2_e = 0x1.71547652b82fep+0;
inline constexpr double ln_2 = 0x1.62e42fefa39efp-1;
inline constexpr double infinity = __builtin_inf();

// Adding this rounds a double below 2^51 to an integer, which then stands in its lowest bits.
inline constexpr double rounder = 0x1.8p52;

TPINFER_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
TPINFER_INLINE std::uint64_t bits(double x) { return __builtin_bit_cast(std::uint64_t, x); }
TPINFER_INLINE double from_bits(std::uint64_t x) { return __builtin_bit_cast(double, x); }

// c[0] + c[1] x + ... + c[N-1] x^(N-1) by Horner's rule.
template <int N>
TPINFER_INLINE double polynomial(const double (&c)[N], double x) {
  double sum = c[N - 1];
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i) sum = fma(sum, x, c[i]);
  return sum;
}

// Into [low, high]; NaN stays.
TPINFER_INLINE double clamp(double x, double low, double high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// 2^k (1 + p), where `rounded` is rounder + k and |k| < 1022. offset = 0 gives exp, 1 exp - 1.
TPINFER_INLINE double scaled(double rounded, double p, double offset) {
  const double scale = from_bits((bits(rounded) << 52) + (std::uint64_t{1023} << 52));
  return fma(scale, p, scale - offset);
}

// exp(r) - 1 for |r| <= ln(2)/2. Error 2^-37.5.
TPINFER_INLINE double small_expm1(double r) {
  constexpr double c[] = {0x1.fffffffff61ddp-1,  0x1.fffffffffe062p-2, 0x1.5555557e7777ep-3,
                          0x1.55555565c7e0ep-5,  0x1.1110a6173845ep-7, 0x1.6c166bde96885p-10,
                          0x1.a17e052cd2c8fp-13, 0x1.a136bf03ec612p-16};
  return r * polynomial(c, r);
}

// exp(x) - offset. Beyond +-700 the value at +-700 is returned: far outside the range of floats.
TPINFER_INLINE double exp_minus(double x, double offset) {
  x = clamp(x, -700, 700);
  const double rounded = fma(x, log2_e, rounder);
  const double r = fma(rounder - rounded, ln_2, x);
  return scaled(rounded, small_expm1(r), offset);
}

TPINFER_INLINE double exp(double x) { return exp_minus(x, 0); }
TPINFER_INLINE double expm1(double x) { return exp_minus(x, 1); }

// 2^x, with the same limits.
TPINFER_INLINE double exp2(double x) {
  x = clamp(x, -1000, 1000);
  const double rounded = x + rounder;
  const double r = x - (rounded - rounder);
  return scaled(rounded, small_expm1(r * ln_2), 0);
}

// x = 2^exponent * m with sqrt(1/2) <= m < sqrt(2), and ln(m): near x = 1 the exponent is 0, so
// that nothing cancels. x is positive, normal, finite; otherwise the result has no meaning.
struct Logarithm {
  double exponent;
  double of_mantissa;
};

// Error of ln(m) 2^-50: ln(m) = 2 atanh(s), s = (m - 1) / (m + 1).
TPINFER_INLINE Logarithm logarithm(double x) {
  constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd;
  constexpr std::uint64_t one = 0x3ff0000000000000;
  constexpr double c[] = {0x1.55555555553b8p-1, 0x1.9999999b86b7cp-2, 0x1.2492462aa8c89p-2,
                          0x1.c71fcd1ced0aep-3, 0x1.7382d06f0c1dep-3, 0x1.546adfbbda333p-3};
  const std::uint64_t shifted = bits(x) + (one - root_half);
  const double biased = from_bits((shifted >> 52) | bits(0x1p52));  // 2^52 + exponent + 1023
  const double m = from_bits((shifted & 0x000fffffffffffff) + root_half);
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  const double tail = square * polynomial(c, square);
  return {biased - (0x1p52 + 1023), fma(s, tail, s + s)};
}

// ln(x) for positive floats and +inf; -inf for zeros, NaN else.
TPINFER_INLINE double log(double x) {
  const Logarithm l = logarithm(x);
  const double value = fma(l.exponent, ln_2, l.of_mantissa);
  const double outside = x == 0 ? -infinity : (x > 0 ? infinity : __builtin_nan(""));
  return (x > 0) & (x < infinity) ? value : outside;
}

// The same with base 2, for positive floats, +0 and +inf.
TPINFER_INLINE double log2(double x) {
  const Logarithm l = logarithm(x);
  const double value = fma(l.of_mantissa, log2_e, l.exponent);
  const double outside = x == 0 ? -infinity : x;
  return (x > 0) & (x < infinity) ? value : outside;
}

// 1 - erf(z) for z >= 0; beyond 11.4 the value there. exp(-z^2) P(w) w with w = 1 / (z + 3), the
// polynomial in w moved to [-1, 1]. Error 2^-38.
TPINFER_INLINE double erfc(double z) {
  constexpr double c[] = {0x1.48f738539ba38p+0,   0x1.dbe6cdee845b9p-1,   0x1.06c7b6e8186bcp-1,
                          0x1.ad924ad2a5cc6p-3,   0x1.d79dcd45ada23p-5,   0x1.cc914a6001b42p-8,
                          -0x1.88eee27274442p-10, -0x1.6247f4fdb8bcdp-11, 0x1.31d1d2519f846p-16,
                          0x1.a19228f3719fcp-15,  0x1.34695198d0938p-21,  -0x1.080ac85fff2d6p-18,
                          -0x1.23f48974afde4p-27, 0x1.1dcdb7475f69cp-22};
  z = z > 11.4 ? 11.4 : z;
  const double w = 1 / (z + 3);
  const double t = fma(w, 0x1.e42c8590b2164p+2, -0x1.8590b21642c86p+0);
  return exp(-z * z) * (polynomial(c, t) * w);
}

// erf(x) for |x| <= 1. Error 2^-40.
TPINFER_INLINE double small_erf(double x) {
  constexpr double c[] = {0x1.20dd750428cb9p+0,  -0x1.812746ade3c08p-2,  0x1.ce2f20a7415c6p-4,
                          -0x1.b82cbae7577a7p-6, 0x1.56588b32275a7p-8,   -0x1.bfe158a7be278p-11,
                          0x1.f57e9cee106c1p-14, -0x1.d2b8522d6f7cbp-17, 0x1.1c41ab6eec487p-20};
  return x * polynomial(c, x * x);
}

}  // namespace tpinfer::kernels::exact
