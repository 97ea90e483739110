// Pow (ONNX Pow-15): the base's element type is the result's; the exponent may be of another.
// Float32 by kernels/math, integers exactly (wrapping around).
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/math/functions.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/broadcast.hpp"
#include "runtime/ops/integers.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 2, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    if (request.dtypes[i] != DType::f32 && !is_integer(request.dtypes[i])) {
      fail(Fault::data, fmt::format("it does not compute with {}", name_of(request.dtypes[i])));
    }
  }
  return {broadcast_rule(request), {request.dtypes[0]}};
}

template <typename T>
T integer_power(T base, std::int64_t exponent) {
  if (exponent < 0) {  // 1 over the power, truncated
    const bool unit = base == T{1} || (std::is_signed_v<T> && base == T(-1));
    return !unit ? T{0} : exponent % 2 == 0 ? T{1} : base;
  }
  std::uint64_t factor = static_cast<std::uint64_t>(base), product = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) product *= factor;
    factor *= factor;
  }
  return static_cast<T>(product);
}

// Any numbers as float32.
std::vector<float> floats_of(const View& view) {
  std::vector<float> values(static_cast<std::size_t>(view.count()));
  if (view.dtype == DType::f32) {
    std::copy_n(view.as<float>(), values.size(), values.begin());
  } else {
    with_integer(view.dtype, [&](auto zero) {
      const auto* elements = view.as<decltype(zero)>();
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(elements[i]);
    });
  }
  return values;
}

void run_floats(const View& a, const float* x, const View& b, const float* e, const View& y,
                float* out) {
  for_each_run(a.shape, b.shape, y.shape, [&](const Run& run) {
    kernels::binary(kernels::Binary::pow, x + run.a_at, run.a_step, e + run.b_at, run.b_step,
                    out + run.y_at, run.count);
  });
}

template <typename T>
void run_integers(const View& a, const View& b, const View& y) {
  if (b.dtype == DType::f32) {
    const std::vector<float> base = floats_of(a);
    std::vector<float> out(static_cast<std::size_t>(y.count()));
    run_floats(a, base.data(), b, b.as<float>(), y, out.data());
    for (std::size_t i = 0; i < out.size(); ++i) y.as<T>()[i] = number_as<T>(out[i]);
    return;
  }
  with_integer(b.dtype, [&](auto zero) {
    using E = decltype(zero);
    for_each_run(a.shape, b.shape, y.shape, [&](const Run& run) {
      for (std::int64_t i = 0; i < run.count; ++i) {
        y.as<T>()[run.y_at + i] =
            integer_power(a.as<T>()[run.a_at + i * run.a_step],
                          static_cast<std::int64_t>(b.as<E>()[run.b_at + i * run.b_step]));
      }
    });
  });
}

void run(const OpCall& call) {
  const View &a = call.inputs[0].view, &b = call.inputs[1].view, &y = call.outputs[0].view;
  if (a.dtype != DType::f32) {
    with_integer(a.dtype, [&](auto zero) { run_integers<decltype(zero)>(a, b, y); });
  } else if (b.dtype == DType::f32) {
    run_floats(a, a.as<float>(), b, b.as<float>(), y, y.as<float>());
  } else {
    run_floats(a, a.as<float>(), b, floats_of(b).data(), y, y.as<float>());
  }
}

}  // namespace

extern const Operator pow_op{rule, run};

}  // namespace tpinfer::runtime
