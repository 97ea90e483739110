// Elementwise functions of one tensor; float32 by kernels/math, Neg and Abs of integers exactly.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/functions.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/integers.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

using kernels::Unary;
using shard::float_attribute;

RuleAnswer elementwise(const RuleRequest& request) {
  const std::string dims = term(factors(request.shapes[0].size()));
  return {{dims + whole_inputs(request, 1) + " -> " + dims, {}}, {request.dtypes[0]}};
}

RuleAnswer float_rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  want_float(request, 0);
  return elementwise(request);
}

RuleAnswer number_rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  if (request.dtypes[0] != DType::f32 && !is_integer(request.dtypes[0])) {
    fail(Fault::data, fmt::format("it does not compute with {}", name_of(request.dtypes[0])));
  }
  return elementwise(request);
}

template <Unary f>
void run(const OpCall& call, float alpha, float beta = 0) {
  const View& x = call.inputs[0].view;
  kernels::unary(f, x.as<float>(), call.outputs[0].view.as<float>(), x.count(), alpha, beta);
}

template <Unary f>
void run_plain(const OpCall& call) {
  run<f>(call, 0);
}

template <typename T, Unary f>
void run_integers(const OpCall& call) {
  const T* x = call.inputs[0].view.as<T>();
  T* y = call.outputs[0].view.as<T>();
  using Wide = std::make_unsigned_t<T>;
  for (std::int64_t i = 0; i < call.inputs[0].view.count(); ++i) {
    const bool negate = f == Unary::neg || (std::is_signed_v<T> && x[i] < T{0});
    y[i] = negate ? static_cast<T>(Wide{0} - static_cast<Wide>(x[i])) : x[i];
  }
}

template <Unary f>
void run_number(const OpCall& call) {
  const DType dtype = call.inputs[0].view.dtype;
  if (dtype == DType::f32) return run_plain<f>(call);
  with_integer(dtype, [&](auto zero) { run_integers<decltype(zero), f>(call); });
}

void run_leaky_relu(const OpCall& call) {
  run<Unary::leaky_relu>(call, static_cast<float>(float_attribute(call.node, "alpha", 0.01)));
}

void run_elu(const OpCall& call) {
  run<Unary::elu>(call, static_cast<float>(float_attribute(call.node, "alpha", 1.0)));
}

RuleAnswer gelu_rule(const RuleRequest& request) {
  const std::string kind = shard::string_attribute(request.node, "approximate", "none");
  if (kind != "none" && kind != "tanh") {
    fail(Fault::data, fmt::format("approximate is \"{}\"; legal: none, tanh", kind));
  }
  return float_rule(request);
}

void run_gelu(const OpCall& call) {
  if (shard::string_attribute(call.node, "approximate", "none") == "tanh") {
    run<Unary::gelu_tanh>(call, 0);
  } else {
    run<Unary::gelu>(call, 0);
  }
}

// Bounds are scalar inputs (since operator set 11) or attributes (before).
RuleAnswer clip_rule(const RuleRequest& request) {
  want_inputs(request, 1, 3);
  const DType dtype = common_dtype(request);
  if (dtype != DType::f32 && !is_integer(dtype)) {
    fail(Fault::data, fmt::format("it does not clip {}", name_of(dtype)));
  }
  for (std::size_t i = 1; i < request.present.size(); ++i) {
    if (element_count(request.shapes[i]) != 1) {
      fail(Fault::data,
           fmt::format("bound {} has shape {}, a scalar is wanted", i, to_text(request.shapes[i])));
    }
  }
  return elementwise(request);
}

template <typename T>
T bound_of(const OpCall& call, std::size_t input, const char* key, T none) {
  if (input < call.inputs.size() && call.inputs[input].view.data) {
    return call.inputs[input].view.as<T>()[0];
  }
  if (!call.node.attributes.contains(key)) return none;
  return number_as<T>(float_attribute(call.node, key, 0));
}

void run_clip(const OpCall& call) {
  const View &x = call.inputs[0].view, &y = call.outputs[0].view;
  if (x.dtype == DType::f32) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return run<Unary::clip>(call, bound_of(call, 1, "min", -kInfinity),
                            bound_of(call, 2, "max", kInfinity));
  }
  with_integer(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T low = bound_of(call, 1, "min", std::numeric_limits<T>::min());
    const T high = bound_of(call, 2, "max", std::numeric_limits<T>::max());
    for (std::int64_t i = 0; i < x.count(); ++i) {
      y.as<T>()[i] = std::min(std::max(x.as<T>()[i], low), high);
    }
  });
}

// Scale: y = factor x, made by lower() of Gemm's alpha and beta.
void run_scale(const OpCall& call) {
  const auto factor = static_cast<float>(float_attribute(call.node, "factor", 1.0));
  const View& x = call.inputs[0].view;
  parallel_ranges(x.count(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    kernels::binary(kernels::Binary::mul, x.as<float>() + begin, 1, &factor, 0,
                    call.outputs[0].view.as<float>() + begin, end - begin);
  });
}

}  // namespace

extern const Operator neg_op{number_rule, run_number<Unary::neg>};
extern const Operator abs_op{number_rule, run_number<Unary::abs>};
extern const Operator sqrt_op{float_rule, run_plain<Unary::sqrt>};
extern const Operator exp_op{float_rule, run_plain<Unary::exp>};
extern const Operator log_op{float_rule, run_plain<Unary::log>};
extern const Operator erf_op{float_rule, run_plain<Unary::erf>};
extern const Operator sigmoid_op{float_rule, run_plain<Unary::sigmoid>};
extern const Operator tanh_op{float_rule, run_plain<Unary::tanh>};
extern const Operator relu_op{float_rule, run_plain<Unary::relu>};
extern const Operator leaky_relu_op{float_rule, run_leaky_relu, "alpha"};
extern const Operator elu_op{float_rule, run_elu, "alpha"};
extern const Operator gelu_op{gelu_rule, run_gelu, "approximate"};
extern const Operator clip_op{clip_rule, run_clip, "max min"};
extern const Operator scale_op{float_rule, run_scale, "factor"};

}  // namespace tpinfer::runtime
