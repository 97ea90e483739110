// Elementwise functions whose bits are defined by us (docs/determinism.md): each result is one
// fixed sequence of IEEE operations on its own element, so that it does not depend on the element's
// place in the array, the length, the alignment, the number of threads, the compiler or the CPU.
#pragma once

#include <cstdint>

namespace tpinfer::kernels {

// exp, log, erf, sigmoid, tanh, elu, gelu and gelu_tanh are computed in double and rounded once:
// the error is at most 0.51 units in the last place. Overflow gives infinity; results below the
// normal range are rounded to denormals. sqrt is correctly rounded.
// NaN: every NaN result, of an operation or of a NaN operand, is the quiet NaN 0x7fc00000.
// Ends of the range:
//   log(0) = -inf, log(x < 0) = NaN; sqrt(-0) = -0, sqrt(x < 0) = NaN; exp(-inf) = 0
//   relu(-0) = +0; clip returns a value equal to a bound as it is, and `beta` where alpha > beta;
//   a bound that is NaN does not clip
//   gelu(-inf) = gelu_tanh(-inf) = -0: the limit, where the formula read literally is -inf * 0
enum class Unary {
  neg,
  abs,
  sqrt,
  exp,
  log,
  erf,
  sigmoid,  // 1 / (1 + exp(-x))
  tanh,
  relu,        // max(x, 0)
  leaky_relu,  // x < 0 ? alpha x : x
  elu,         // x < 0 ? alpha (exp(x) - 1) : x
  clip,        // min(max(x, alpha), beta)
  gelu,        // x (1 + erf(x / sqrt 2)) / 2
  gelu_tanh,   // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
};

// y[i] = f(x[i]) for 0 <= i < count. x may equal y, otherwise they must not overlap. `alpha` and
// `beta` as the table says; functions without parameters ignore them. Large arrays are divided
// among the threads of parallel_ranges: not to be called inside parallel_for.
void unary(Unary f, const float* x, float* y, std::int64_t count, float alpha = 0, float beta = 0);

// add, sub, mul and div are IEEE's. min and max: a NaN wins, and -0 < +0.
// pow has the special values of IEEE 754 (pow(x, 0) = pow(1, y) = 1 even for NaN, x < 0 with a y
// that is no integer is NaN) and errs by at most 0.51 units in the last place; results that a float
// can hold and ties are exact, pow(x, 2) is x * x and pow(x, 0.5) is sqrt(x) (but +0 for -0 and
// +inf for -inf).
enum class Binary { add, sub, mul, div, pow, min, max };

// y[i] = f(a[i * a_step], b[i * b_step]) for 0 <= i < count; a step is 0 (one value for all) or 1.
// y may equal an operand whose step is 1, otherwise they must not overlap. No threads inside: the
// caller divides the work.
void binary(Binary f, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
            float* y, std::int64_t count);

// The same definitions on one element, compiled for the plainest CPU: what the tests compare with.
float reference_unary(Unary f, float x, float alpha = 0, float beta = 0);
float reference_binary(Binary f, float a, float b);

}  // namespace tpinfer::kernels
