// Add, Sub, Mul, Div, Min, Max: elementwise with broadcasting. Float32 by kernels/math;
// integers exactly (division truncates, as ONNX says).
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/error.hpp"
#include "kernels/math/functions.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/broadcast.hpp"
#include "runtime/ops/integers.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

using kernels::Binary;

template <typename T>
T combine(Binary f, T a, T b) {
  switch (f) {
    case Binary::add:
      return static_cast<T>(a + b);
    case Binary::sub:
      return static_cast<T>(a - b);
    case Binary::mul:
      return static_cast<T>(a * b);
    case Binary::div:
      return b == 0 ? T{0} : static_cast<T>(a / b);
    case Binary::min:
      return std::min(a, b);
    case Binary::max:
      return std::max(a, b);
    case Binary::pow:
      break;
  }
  return T{};
}

template <typename T>
void combine_integers(Binary f, const Piece& a, const Piece& b, const Piece& y) {
  using Wide = std::uint64_t;  // wraps around instead of overflowing, also in int's promotions
  for_each_run(a.view.shape, b.view.shape, y.view.shape, [&](const Run& run) {
    const T* x0 = a.view.as<T>() + run.a_at;
    const T* x1 = b.view.as<T>() + run.b_at;
    T* out = y.view.as<T>() + run.y_at;
    for (std::int64_t i = 0; i < run.count; ++i) {
      const T left = x0[i * run.a_step], right = x1[i * run.b_step];
      const bool wraps = f == Binary::add || f == Binary::sub || f == Binary::mul;
      const bool lowest = std::is_signed_v<T> && f == Binary::div && right == T(-1);
      out[i] =
          lowest ? static_cast<T>(Wide{0} - static_cast<Wide>(left))
          : wraps
              ? static_cast<T>(combine<Wide>(f, static_cast<Wide>(left), static_cast<Wide>(right)))
              : combine<T>(f, left, right);
    }
  });
}

void combine_pieces(Binary f, const Piece& a, const Piece& b, const Piece& y) {
  if (y.view.dtype != DType::f32) {
    with_integer(y.view.dtype, [&](auto zero) { combine_integers<decltype(zero)>(f, a, b, y); });
    return;
  }
  for_each_run(a.view.shape, b.view.shape, y.view.shape, [&](const Run& run) {
    kernels::binary(f, a.view.as<float>() + run.a_at, run.a_step, b.view.as<float>() + run.b_at,
                    run.b_step, y.view.as<float>() + run.y_at, run.count);
  });
}

void want_arithmetic(const RuleRequest& request) {
  const DType dtype = common_dtype(request);
  if (dtype != DType::f32 && !is_integer(dtype)) {
    fail(Fault::data, fmt::format("it does not compute with {}", name_of(dtype)));
  }
}

RuleAnswer two_inputs(const RuleRequest& request) {
  want_inputs(request, 2, 2);
  want_arithmetic(request);
  return {broadcast_rule(request), {request.dtypes[0]}};
}

template <Binary f>
void run_two(const OpCall& call) {
  combine_pieces(f, call.inputs[0], call.inputs[1], call.outputs[0]);
}

RuleAnswer any_inputs(const RuleRequest& request) {
  want_inputs(request, std::max<std::size_t>(1, request.present.size()),
              std::numeric_limits<std::size_t>::max());
  want_arithmetic(request);
  return {broadcast_rule(request), {request.dtypes[0]}};
}

// The first operand combined with itself is itself, broadcast; then one operand after the other.
template <Binary f>
void run_any(const OpCall& call) {
  combine_pieces(f, call.inputs[0], call.inputs[0], call.outputs[0]);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    combine_pieces(f, call.outputs[0], call.inputs[i], call.outputs[0]);
  }
}

}  // namespace

extern const Operator add_op{two_inputs, run_two<Binary::add>};
extern const Operator sub_op{two_inputs, run_two<Binary::sub>};
extern const Operator mul_op{two_inputs, run_two<Binary::mul>};
extern const Operator div_op{two_inputs, run_two<Binary::div>};
extern const Operator min_op{any_inputs, run_any<Binary::min>};
extern const Operator max_op{any_inputs, run_any<Binary::max>};

}  // namespace tpinfer::runtime
