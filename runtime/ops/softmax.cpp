// Softmax and LogSoftmax along one axis (ONNX 13).
#include "kernels/math/rows.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rows.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  want_float(request, 0);
  std::vector<std::string> names = factors(request.shapes[0].size());
  const std::size_t axis = axis_of(shard::int_attribute(request.node, "axis", -1), names.size());
  names[axis] += "!";
  return {{term(names) + " -> " + term(names), {}}, {DType::f32}};
}

template <auto row_function>
void run(const OpCall& call) {
  const View& x = call.inputs[0].view;
  const std::size_t axis = axis_of(shard::int_attribute(call.node, "axis", -1), x.shape.size());
  const Rows rows = rows_of(x.shape, axis, 1);
  for_each_row(x.as<float>(), call.outputs[0].view.as<float>(), rows,
               [&](const float* in, float* out) { row_function(in, out, rows.row); });
}

}  // namespace

extern const Operator softmax_op{rule, run<kernels::softmax_row>, "axis"};
extern const Operator log_softmax_op{rule, run<kernels::log_softmax_row>, "axis"};

}  // namespace tpinfer::runtime
