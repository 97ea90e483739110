// LayerNormalization (ONNX 17): over all axes from `axis` on; Mean and InvStdDev on demand.
#include <fmt/format.h>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/rows.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rows.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

// "d0 d1!, d1!, d1! -> d0 d1!, d0 1, d0 1"
RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 2, 3);
  for (std::size_t i = 0; i < request.present.size(); ++i) want_float(request, i);
  const Shape& in = request.shapes[0];
  const std::size_t axis = axis_of(shard::int_attribute(request.node, "axis", -1), in.size());
  std::vector<std::string> x = factors(in.size()), scale, statistics;
  for (std::size_t d = 0; d < in.size(); ++d) {
    statistics.push_back(d < axis ? x[d] : "1");
    if (d < axis) continue;
    x[d] += "!";
    scale.push_back(x[d]);
  }
  const Shape normalized(in.begin() + static_cast<std::ptrdiff_t>(axis), in.end());
  std::string text = term(x);
  for (std::size_t i = 1; i < request.shapes.size(); ++i) {
    text += request.present[i] ? ", " + term(scale) : ",";
    if (request.present[i] && request.shapes[i] != normalized) {
      fail(Fault::data, fmt::format("input {} has shape {}, the normalized axes have {}", i,
                                    to_text(request.shapes[i]), to_text(normalized)));
    }
  }
  if (element_count(normalized) == 0) fail(Fault::data, "the normalized axes are empty");
  text += " -> " + term(x) + ", " + term(statistics) + ", " + term(statistics);
  return {{text, {}}, {DType::f32, DType::f32, DType::f32}};
}

void run(const OpCall& call) {
  const View& x = call.inputs[0].view;
  const std::size_t axis = axis_of(shard::int_attribute(call.node, "axis", -1), x.shape.size());
  const Rows rows = rows_of(x.shape, axis, x.shape.size() - axis);
  const auto epsilon = static_cast<float>(shard::float_attribute(call.node, "epsilon", 1e-5));
  const float* scale = call.inputs[1].view.as<float>();
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].view.as<float>() : nullptr;
  auto statistic = [&](std::size_t output, std::int64_t row) {
    const bool wanted = output < call.outputs.size() && call.outputs[output].view.data;
    return wanted ? call.outputs[output].view.as<float>() + row : nullptr;
  };
  const std::int64_t grain =
      std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, rows.row));
  parallel_ranges(rows.outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const kernels::RowMoments moments =
          kernels::layer_norm_row(x.as<float>() + i * rows.row, scale, bias, epsilon,
                                  call.outputs[0].view.as<float>() + i * rows.row, rows.row);
      if (float* mean = statistic(1, i)) *mean = moments.mean;
      if (float* inverse = statistic(2, i)) *inverse = moments.inverse_deviation;
    }
  });
}

}  // namespace

extern const Operator layer_normalization_op{rule, run, "axis epsilon stash_type=1"};

}  // namespace tpinfer::runtime
