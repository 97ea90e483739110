// The loops over arrays, compiled once per instruction set (Highway picks one at run time). They
// are plain C++ that the compiler vectorises: the expressions hold IEEE operations only, so a
// vector and the scalar remainder of a loop give the same bits.
#include "kernels/math/functions.hpp"

#include "kernels/math/simd_targets.hpp"  // must come before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/math/functions.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "kernels/base/parallel.hpp"
#include "kernels/math/functions-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tpinfer::kernels {
namespace HWY_NAMESPACE {

// x == y is allowed and harmless: ivdep tells the compiler that no element waits for another.
template <Unary F>
void unary_loop(const float* x, float* y, std::int64_t count, float alpha, float beta) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) y[i] = exact::apply<F>(x[i], alpha, beta);
}

template <Binary F>
void binary_loop(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step, float* y,
                 std::int64_t count) {
  if (a_step != 0 && b_step != 0) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) y[i] = exact::apply<F>(a[i], b[i]);
  } else if (a_step != 0) {
    const float right = *b;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) y[i] = exact::apply<F>(a[i], right);
  } else if (b_step != 0) {
    const float left = *a;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) y[i] = exact::apply<F>(left, b[i]);
  } else {
    const float value = exact::apply<F>(*a, *b);
    for (std::int64_t i = 0; i < count; ++i) y[i] = value;
  }
}

void unary_run(Unary f, const float* x, float* y, std::int64_t count, float alpha, float beta) {
  switch (f) {
    case Unary::neg:
      return unary_loop<Unary::neg>(x, y, count, alpha, beta);
    case Unary::abs:
      return unary_loop<Unary::abs>(x, y, count, alpha, beta);
    case Unary::sqrt:
      return unary_loop<Unary::sqrt>(x, y, count, alpha, beta);
    case Unary::exp:
      return unary_loop<Unary::exp>(x, y, count, alpha, beta);
    case Unary::log:
      return unary_loop<Unary::log>(x, y, count, alpha, beta);
    case Unary::erf:
      return unary_loop<Unary::erf>(x, y, count, alpha, beta);
    case Unary::sigmoid:
      return unary_loop<Unary::sigmoid>(x, y, count, alpha, beta);
    case Unary::tanh:
      return unary_loop<Unary::tanh>(x, y, count, alpha, beta);
    case Unary::relu:
      return unary_loop<Unary::relu>(x, y, count, alpha, beta);
    case Unary::leaky_relu:
      return unary_loop<Unary::leaky_relu>(x, y, count, alpha, beta);
    case Unary::elu:
      return unary_loop<Unary::elu>(x, y, count, alpha, beta);
    case Unary::clip:
      return unary_loop<Unary::clip>(x, y, count, alpha, beta);
    case Unary::gelu:
      return unary_loop<Unary::gelu>(x, y, count, alpha, beta);
    case Unary::gelu_tanh:
      return unary_loop<Unary::gelu_tanh>(x, y, count, alpha, beta);
  }
}

void binary_run(Binary f, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                float* y, std::int64_t count) {
  switch (f) {
    case Binary::add:
      return binary_loop<Binary::add>(a, a_step, b, b_step, y, count);
    case Binary::sub:
      return binary_loop<Binary::sub>(a, a_step, b, b_step, y, count);
    case Binary::mul:
      return binary_loop<Binary::mul>(a, a_step, b, b_step, y, count);
    case Binary::div:
      return binary_loop<Binary::div>(a, a_step, b, b_step, y, count);
    case Binary::pow:
      return binary_loop<Binary::pow>(a, a_step, b, b_step, y, count);
    case Binary::min:
      return binary_loop<Binary::min>(a, a_step, b, b_step, y, count);
    case Binary::max:
      return binary_loop<Binary::max>(a, a_step, b, b_step, y, count);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tpinfer::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tpinfer::kernels {

HWY_EXPORT(unary_run);
HWY_EXPORT(binary_run);

void unary(Unary f, const float* x, float* y, std::int64_t count, float alpha, float beta) {
  constexpr std::int64_t grain = 16384;  // 10 microseconds and more: dearer than waking a thread
  const auto run = HWY_DYNAMIC_DISPATCH(unary_run);
  if (count <= grain) return run(f, x, y, count, alpha, beta);
  parallel_ranges(count, grain, [&](std::int64_t begin, std::int64_t end) {
    run(f, x + begin, y + begin, end - begin, alpha, beta);
  });
}

void binary(Binary f, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
            float* y, std::int64_t count) {
  if (count <= 0) return;
  const auto run = HWY_DYNAMIC_DISPATCH(binary_run);
  // pow is defined so that this is the same, and squares are what models ask for.
  const bool square = f == Binary::pow && b_step == 0 && *b == 2;
  if (square) return run(Binary::mul, a, a_step, a, a_step, y, count);
  run(f, a, a_step, b, b_step, y, count);
}

}  // namespace tpinfer::kernels
#endif  // HWY_ONCE
