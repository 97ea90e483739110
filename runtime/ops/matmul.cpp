// MatMul: numpy.matmul's semantics (ONNX MatMul-13). The one operator whose sum may be cut over
// ranks: its output is then the rank's roots, [roots][m][n].
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

// Batch dimensions b0.. broadcast; a vector has no row (first input) or no column (second).
RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 2, 2);
  want_float(request, 0);
  want_float(request, 1);
  const Shape &a = request.shapes[0], &b = request.shapes[1];
  if (a.empty() || b.empty()) fail(Fault::data, "a scalar has no product; use Mul");
  const std::size_t batch_a = a.size() > 2 ? a.size() - 2 : 0;
  const std::size_t batch_b = b.size() > 2 ? b.size() - 2 : 0;
  const Shape batch = broadcast(Shape(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(batch_a)),
                                Shape(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(batch_b)));
  shard::RuleText text;
  auto batch_term = [&](const Shape& shape, std::size_t width) {
    std::string dims;
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t at = batch.size() - width + i;
      dims += shape[i] == 1 && batch[at] != 1 ? "1 " : fmt::format("b{} ", at);
    }
    return dims;
  };
  std::string all;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    all += fmt::format("b{} ", i);
    text.extents[fmt::format("b{}", i)] = batch[i];
  }
  // Products of two activations (queries and keys) keep their short sums whole.
  const char* k = batch_b > 0 ? "k!" : "k";
  text.text =
      fmt::format("{}{}{}, {}{}{} -> {}{}{}", batch_term(a, batch_a), a.size() > 1 ? "m " : "", k,
                  batch_term(b, batch_b), k, b.size() > 1 ? " n" : "", all,
                  a.size() > 1 ? "m " : "", b.size() > 1 ? "n" : "");
  return {text, {DType::f32}};
}

void product(const OpCall& call, const kernels::MatmulProblem& problem, const float* x,
             const float* w, float* out) {
  if (problem.contraction == 0) {
    std::fill_n(out, problem.m * problem.n, 0.0F);  // an empty sum has no roots
  } else if (call.fast) {
    kernels::matmul_fast(call.family, problem.m, problem.n, problem.k.size(), x, w, out);
  } else {
    kernels::matmul_roots(call.family, problem, x, w, out);
  }
}

void run(const OpCall& call) {
  const Piece &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  const Shape &as = a.view.shape, &bs = b.view.shape;
  const Range k{a.box.offset.back(), a.box.offset.back() + as.back()};
  kernels::MatmulProblem problem{1, bs.size() > 1 ? bs.back() : 1, a.global.back(), 1, k};
  if (bs.size() <= 2) {  // one matrix for all rows
    for (std::size_t d = 0; d + 1 < as.size(); ++d) problem.m *= as[d];
    if (problem.m * problem.n > 0) {
      product(call, problem, a.view.as<float>(), b.view.as<float>(), y.view.as<float>());
    }
    return;
  }
  // A batch of products; operands with fewer batch dimensions or extents of 1 are used again.
  problem.m = as.size() > 1 ? as[as.size() - 2] : 1;
  const std::size_t matrix_dims = as.size() > 1 ? 2 : 1;
  const std::size_t width = y.box.extent.size() - matrix_dims;
  std::int64_t count = 1;
  for (std::size_t d = 0; d < width; ++d) count *= y.box.extent[d];
  if (count * problem.m * problem.n == 0) return;
  auto matrix_of = [&](const Shape& shape, std::size_t dims, std::int64_t index) {
    const std::size_t own = shape.size() > dims ? shape.size() - dims : 0;
    std::int64_t at = 0, stride = 1;
    for (std::size_t i = 0; i < width; ++i) {
      const std::int64_t coordinate = index % y.box.extent[width - 1 - i];
      index /= y.box.extent[width - 1 - i];
      if (i >= own) continue;
      const std::int64_t extent = shape[own - 1 - i];
      if (extent != 1) at += coordinate * stride;
      stride *= extent;
    }
    return at;
  };
  for (std::int64_t i = 0; i < count; ++i) {
    product(call, problem,
            a.view.as<float>() + matrix_of(as, matrix_dims, i) * problem.m * k.size(),
            b.view.as<float>() + matrix_of(bs, 2, i) * k.size() * problem.n,
            y.view.as<float>() + i * problem.m * problem.n);
  }
}

}  // namespace

extern const Operator matmul_op{rule, run};

}  // namespace tpinfer::runtime
