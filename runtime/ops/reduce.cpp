// ReduceSum, ReduceMean, ReduceMax and ArgMax (ONNX 13/18; axes as attribute in older sets). The
// reduced axes are whole on a rank; sums follow the leaf tree of a matrix product with ones.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/functions.hpp"
#include "kernels/math/reduce.hpp"
#include "kernels/math/rows.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rows.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

// "d0 d1! d2 -> d0 1 d2": reduced axes whole, kept as extent 1 or gone.
shard::RuleText reduced_rule(const RuleRequest& request, const std::vector<bool>& reduced,
                             bool keep) {
  std::vector<std::string> before = factors(request.shapes[0].size()), after;
  for (std::size_t d = 0; d < before.size(); ++d) {
    if (!reduced[d]) {
      after.push_back(before[d]);
    } else {
      before[d] += "!";
      if (keep) after.emplace_back("1");
    }
  }
  return {term(before) + whole_inputs(request, 1) + " -> " + term(after), {}};
}

bool keeps(const shard::Node& node) { return shard::int_attribute(node, "keepdims", 1) != 0; }

std::vector<bool> reduced_axes(const RuleRequest& request) {
  const std::size_t dims = request.shapes[0].size();
  const auto axes = integers(request, 1, "axes");
  if (!axes || axes->empty()) {
    const bool none = shard::int_attribute(request.node, "noop_with_empty_axes", 0) != 0;
    return std::vector<bool>(dims, !none);
  }
  std::vector<bool> reduced(dims, false);
  for (std::int64_t axis : *axes) reduced[axis_of(axis, dims)] = true;
  return reduced;
}

void want_number(const RuleRequest& request) {
  const DType dtype = request.dtypes[0];
  if (dtype != DType::f32 && dtype != DType::i32 && dtype != DType::i64) {
    fail(Fault::data, fmt::format("it does not reduce {}", name_of(dtype)));
  }
}

template <bool kMax>
RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 2);
  want_number(request);
  const std::vector<bool> reduced = reduced_axes(request);
  for (std::size_t d = 0; kMax && d < reduced.size(); ++d) {
    if (reduced[d] && request.shapes[0][d] == 0) fail(Fault::data, "the maximum of nothing");
  }
  return {reduced_rule(request, reduced, keeps(request.node)), {request.dtypes[0]}};
}

// The axes that the output lacks or has as 1 where the input is longer: read off the rule's shapes.
std::vector<std::size_t> axes_of_call(const OpCall& call) {
  const Shape &in = call.inputs[0].global, &out = call.outputs[0].global;
  std::vector<std::size_t> axes;
  if (out.size() == in.size()) {
    for (std::size_t d = 0; d < in.size(); ++d) {
      if (out[d] != in[d]) axes.push_back(d);
    }
    return axes;
  }
  RuleRequest request{call.node, {in}, {}, {true}, {std::nullopt}};
  if (call.inputs.size() > 1 && call.inputs[1].view.data) {
    const View& view = call.inputs[1].view;
    std::vector<std::int64_t> values;
    for (std::int64_t v = 0; v < view.count(); ++v) {
      values.push_back(view.dtype == DType::i64 ? view.as<std::int64_t>()[v]
                                                : view.as<std::int32_t>()[v]);
    }
    request.present.push_back(true);
    request.constants.emplace_back(std::move(values));
  }
  const std::vector<bool> reduced = reduced_axes(request);
  for (std::size_t d = 0; d < reduced.size(); ++d) {
    if (reduced[d]) axes.push_back(d);
  }
  return axes;
}

// The input as dense rows [kept][reduced].
struct Dense {
  View view;
  std::int64_t kept = 1, reduced = 1;
  std::vector<std::byte> storage;
};

Dense dense_rows(const OpCall& call, const std::vector<std::size_t>& axes) {
  Dense dense;
  const View& x = call.inputs[0].view;
  dense.view = moved_last(x, axes, dense.storage);
  for (std::size_t axis : axes) dense.reduced *= x.shape[axis];
  dense.kept = dense.reduced == 0 ? call.outputs[0].view.count() : x.count() / dense.reduced;
  return dense;
}

template <typename T, typename Reduce>
void reduce_rows(const Dense& dense, T* y, Reduce reduce) {
  const T* x = dense.view.as<T>();
  parallel_ranges(dense.kept,
                  std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, dense.reduced)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      y[i] = reduce(x + i * dense.reduced, dense.reduced);
                    }
                  });
}

template <typename T>
void sum_integers(const Dense& dense, T* y) {
  reduce_rows(dense, y, [](const T* x, std::int64_t n) {
    std::uint64_t sum = 0;  // wraps around instead of overflowing
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<std::uint64_t>(x[i]);
    return static_cast<T>(sum);
  });
}

template <bool kMean>
void run_sum(const OpCall& call) {
  const std::vector<std::size_t> axes = axes_of_call(call);
  const Dense dense = dense_rows(call, axes);
  const View& y = call.outputs[0].view;
  if (y.dtype == DType::f32) {
    kernels::reduce_sum(dense.view.as<float>(), dense.kept, dense.reduced, 1, y.as<float>());
    const auto count = static_cast<float>(dense.reduced);
    if (kMean) {  // the division comes last
      kernels::binary(kernels::Binary::div, y.as<float>(), 1, &count, 0, y.as<float>(), y.count());
    }
  } else if (y.dtype == DType::i64) {
    sum_integers(dense, y.as<std::int64_t>());
  } else {
    sum_integers(dense, y.as<std::int32_t>());
  }
  for (std::int64_t i = 0; kMean && y.dtype != DType::f32 && dense.reduced > 0 && i < y.count();
       ++i) {
    if (y.dtype == DType::i64) y.as<std::int64_t>()[i] /= dense.reduced;
    if (y.dtype == DType::i32) {
      y.as<std::int32_t>()[i] /= static_cast<std::int32_t>(dense.reduced);
    }
  }
}

template <typename T>
T highest(const T* x, std::int64_t n) {
  return *std::max_element(x, x + n);
}

void run_max(const OpCall& call) {
  const Dense dense = dense_rows(call, axes_of_call(call));
  const View& y = call.outputs[0].view;
  if (y.count() == 0) return;
  switch (y.dtype) {
    case DType::i32:
      return reduce_rows(dense, y.as<std::int32_t>(), highest<std::int32_t>);
    case DType::i64:
      return reduce_rows(dense, y.as<std::int64_t>(), highest<std::int64_t>);
    default:
      return reduce_rows(dense, y.as<float>(), kernels::row_max);
  }
}

RuleAnswer argmax_rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  want_number(request);
  const Shape& in = request.shapes[0];
  std::vector<bool> reduced(in.size(), false);
  const std::size_t axis = axis_of(shard::int_attribute(request.node, "axis", 0), in.size());
  reduced[axis] = true;
  if (in[axis] == 0) fail(Fault::data, "the maximum of nothing");
  return {reduced_rule(request, reduced, keeps(request.node)), {DType::i64}};
}

template <typename T>
std::int64_t first_highest(const T* x, std::int64_t n) {
  return std::max_element(x, x + n) - x;
}

// Ties go to the lowest index, or to the highest when the graph says so (select_last_index).
template <typename T, typename Arg>
void argmax_rows(const OpCall& call, const Dense& dense, Arg arg) {
  const bool last = shard::int_attribute(call.node, "select_last_index", 0) != 0;
  auto* y = call.outputs[0].view.as<std::int64_t>();
  for (std::int64_t i = 0; i < dense.kept; ++i) {
    const T* row = dense.view.as<T>() + i * dense.reduced;
    y[i] = arg(row, dense.reduced);
    for (std::int64_t k = dense.reduced; last && --k > y[i];) {
      if (row[k] == row[y[i]]) y[i] = k;
    }
  }
}

void run_argmax(const OpCall& call) {
  const Shape& in = call.inputs[0].global;
  const std::size_t axis = axis_of(shard::int_attribute(call.node, "axis", 0), in.size());
  const Dense dense = dense_rows(call, {axis});
  if (call.outputs[0].view.count() == 0) return;
  switch (dense.view.dtype) {
    case DType::i32:
      return argmax_rows<std::int32_t>(call, dense, first_highest<std::int32_t>);
    case DType::i64:
      return argmax_rows<std::int64_t>(call, dense, first_highest<std::int64_t>);
    default:
      return argmax_rows<float>(call, dense, kernels::row_argmax);
  }
}

}  // namespace

extern const Operator reduce_sum_op{rule<false>, run_sum<false>,
                                    "axes keepdims noop_with_empty_axes"};
extern const Operator reduce_mean_op{rule<false>, run_sum<true>,
                                     "axes keepdims noop_with_empty_axes"};
extern const Operator reduce_max_op{rule<true>, run_max, "axes keepdims noop_with_empty_axes"};
extern const Operator argmax_op{argmax_rule, run_argmax, "axis keepdims select_last_index"};

}  // namespace tpinfer::runtime
