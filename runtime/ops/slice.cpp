// Slice (ONNX Slice-13; starts, ends, axes as attributes in Slice-1).
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"
#include "runtime/ops/strided_copy.hpp"

namespace tpinfer::runtime {
namespace {

struct Cutout {
  std::int64_t start = 0, step = 1, count = 0;
};

std::int64_t clamp_to(std::int64_t index, std::int64_t extent, std::int64_t low,
                      std::int64_t high) {
  if (index < 0)
    index = index < -extent ? std::numeric_limits<std::int64_t>::min() : index + extent;
  return std::clamp(index, low, high);
}

Cutout cutout(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (step == 0) fail(Fault::data, "a step is 0");
  if (extent == 0) return {0, 1, 0};
  const bool forward = step > 0;
  step = std::clamp(step, -extent, extent);  // longer ones take one element too; none overflows
  const std::int64_t low = forward ? 0 : -1, high = forward ? extent : extent - 1;
  start = clamp_to(start, extent, 0, high);
  end = clamp_to(end, extent, low, high);
  const std::int64_t distance = forward ? end - start : start - end;
  const std::int64_t stride = forward ? step : -step;
  return {start, step, std::max<std::int64_t>(0, (distance + stride - 1) / stride)};
}

std::vector<Cutout> cutouts(const RuleRequest& request) {
  const Shape& in = request.shapes[0];
  const auto starts = integers(request, 1, "starts");
  const auto ends = integers(request, 2, "ends");
  if (!starts || !ends || starts->size() != ends->size()) {
    fail(Fault::data, "starts and ends are wanted, of equal length");
  }
  const auto axes = integers(request, 3, "axes");
  const auto steps = integers(request, 4, "steps");
  if ((axes && axes->size() != starts->size()) || (steps && steps->size() != starts->size())) {
    fail(Fault::data, "axes and steps must be as many as starts");
  }
  std::vector<Cutout> all;
  for (std::int64_t extent : in) all.push_back({0, 1, extent});
  for (std::size_t i = 0; i < starts->size(); ++i) {
    const std::size_t d = axis_of(axes ? (*axes)[i] : static_cast<std::int64_t>(i), in.size());
    all[d] = cutout(in[d], (*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1);
  }
  return all;
}

RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 5);
  const Shape& in = request.shapes[0];
  const std::vector<Cutout> all = cutouts(request);
  std::vector<std::string> before = factors(in.size()), after = before;
  shard::RuleText rule;
  for (std::size_t d = 0; d < in.size(); ++d) {
    if (all[d].count == in[d] && all[d].step == 1) continue;
    before[d] += "!";
    after[d] = fmt::format("part{}!", d);
    rule.extents[fmt::format("part{}", d)] = all[d].count;
  }
  rule.text = term(before) + whole_inputs(request, 1) + " -> " + term(after);
  return {rule, {request.dtypes[0]}};
}

void run(const OpCall& call) {
  const Piece &x = call.inputs[0], &y = call.outputs[0];
  // The bounds again, now from the inputs' values: they are constants, whole on every rank.
  RuleRequest request{call.node, {x.global}, {x.view.dtype}, {true}, {std::nullopt}};
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    const View& view = call.inputs[i].view;
    request.present.push_back(view.data != nullptr);
    std::vector<std::int64_t> values;
    for (std::int64_t v = 0; view.data && v < view.count(); ++v) {
      values.push_back(view.dtype == DType::i64 ? view.as<std::int64_t>()[v]
                                                : view.as<std::int32_t>()[v]);
    }
    request.constants.emplace_back(std::move(values));
  }
  const std::vector<Cutout> all = cutouts(request);
  Shape strides = strides_of(x.view.shape);
  std::int64_t start = 0;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    if (all[d].count == x.global[d] && all[d].step == 1) continue;  // may be cut over ranks
    start += all[d].start * strides[d];
    strides[d] *= all[d].step;
  }
  strided_copy(x.view.data, start, strides, y.view.data, y.view.shape, size_of(y.view.dtype));
}

}  // namespace

extern const Operator slice_op{rule, run, "axes ends starts steps"};

}  // namespace tpinfer::runtime
