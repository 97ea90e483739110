// Compiled once per instruction set; Highway picks the best at run time.
#include "bench/roofs.hpp"

#include "kernels/math/simd_targets.hpp"  // must come before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/roofs.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tpinfer::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::ScalableTag<float>;
using Vector = hn::Vec<Lanes>;

// Keeps a value alive without storing it.
void use(Vector value) {
  volatile float sink = hn::GetLane(value);
  (void)sink;
}

double multiply_add() {
  const Lanes d;
  constexpr int kSteps = 20000;
  constexpr int kChains = 10;  // two units of latency four want eight
  const Vector a = hn::Set(d, 0.999F), b = hn::Set(d, 0.001F);
  // Different starts: a compiler would compute equal chains once.
  Vector c0 = hn::Set(d, 0.1F), c1 = hn::Set(d, 0.2F), c2 = hn::Set(d, 0.3F);
  Vector c3 = hn::Set(d, 0.4F), c4 = hn::Set(d, 0.5F), c5 = hn::Set(d, 0.6F);
  Vector c6 = hn::Set(d, 0.7F), c7 = hn::Set(d, 0.8F), c8 = hn::Set(d, 0.9F);
  Vector c9 = hn::Set(d, 1.1F);
  for (int i = 0; i < kSteps; ++i) {
    c0 = hn::MulAdd(c0, a, b);
    c1 = hn::MulAdd(c1, a, b);
    c2 = hn::MulAdd(c2, a, b);
    c3 = hn::MulAdd(c3, a, b);
    c4 = hn::MulAdd(c4, a, b);
    c5 = hn::MulAdd(c5, a, b);
    c6 = hn::MulAdd(c6, a, b);
    c7 = hn::MulAdd(c7, a, b);
    c8 = hn::MulAdd(c8, a, b);
    c9 = hn::MulAdd(c9, a, b);
  }
  use(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9);
  return 2.0 * kSteps * kChains * static_cast<double>(hn::Lanes(d));
}

void read(const float* x, std::int64_t count) {
  const Lanes d;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t stream = count / 4 / (2 * step) * (2 * step);
  Vector sums[8];
  for (Vector& sum : sums) sum = hn::Zero(d);
  for (std::int64_t i = 0; i < stream; i += 2 * step) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) {
      const float* from = x + s * stream + i;
      sums[2 * s] = sums[2 * s] + hn::LoadU(d, from);
      sums[2 * s + 1] = sums[2 * s + 1] + hn::LoadU(d, from + step);
    }
  }
  for (int s = 1; s < 8; ++s) sums[0] = sums[0] + sums[s];
  use(sums[0]);
}

}  // namespace HWY_NAMESPACE
}  // namespace tpinfer::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tpinfer::bench {

HWY_EXPORT(multiply_add);
HWY_EXPORT(read);

double multiply_add_in_registers() { return HWY_DYNAMIC_DISPATCH(multiply_add)(); }

void read_all(const float* x, std::int64_t count) { HWY_DYNAMIC_DISPATCH(read)(x, count); }

}  // namespace tpinfer::bench
#endif  // HWY_ONCE
