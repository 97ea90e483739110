// Concat (ONNX Concat-13) and its inverse Split (Split-18, and the forms before it).
#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

RuleAnswer concat_rule(const RuleRequest& request) {
  want_inputs(request, 1, std::numeric_limits<std::size_t>::max());
  const DType dtype = common_dtype(request);
  const std::size_t dims = request.shapes[0].size();
  if (!request.node.attributes.contains("axis")) fail(Fault::data, "attribute axis is missing");
  const std::size_t axis = axis_of(shard::int_attribute(request.node, "axis", 0), dims);
  shard::RuleText rule;
  std::vector<std::string> names = factors(dims);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < request.shapes.size(); ++i) {
    if (request.shapes[i].size() != dims) {
      fail(Fault::data, fmt::format("input {} has shape {}, input 0 {}", i,
                                    to_text(request.shapes[i]), to_text(request.shapes[0])));
    }
    names[axis] = fmt::format("part{}!", i);
    rule.text += (i ? ", " : "") + term(names);
    total += request.shapes[i][axis];
  }
  names[axis] = "all!";
  rule.text += " -> " + term(names);
  rule.extents["all"] = total;
  return {rule, {dtype}};
}

// The piece of the whole that a part is: the same box, moved along the axis.
Piece moved(const Piece& part, const Piece& whole, std::size_t axis, std::int64_t offset) {
  Piece piece = part;
  piece.global = whole.global;
  piece.box.offset[axis] += offset;
  return piece;
}

void run_concat(const OpCall& call) {
  const Piece& whole = call.outputs[0];
  const std::size_t axis = axis_of(shard::int_attribute(call.node, "axis", 0), whole.global.size());
  std::int64_t offset = 0;
  for (const Piece& part : call.inputs) {
    copy_common(moved(part, whole, axis, offset), whole);
    offset += part.global[axis];
  }
}

// Given sizes, or equal parts of which the last may be smaller.
Shape sizes_of(const RuleRequest& request, std::int64_t extent) {
  if (const auto given = integers(request, 1, "split")) return *given;
  const auto outputs = static_cast<std::int64_t>(request.node.outputs.size());
  const std::int64_t count = shard::int_attribute(request.node, "num_outputs", outputs);
  if (count < 1) fail(Fault::data, fmt::format("num_outputs is {}", count));
  Shape sizes(static_cast<std::size_t>(count), (extent + count - 1) / count);
  sizes.back() = extent - sizes[0] * (count - 1);
  return sizes;
}

RuleAnswer split_rule(const RuleRequest& request) {
  want_inputs(request, 1, 2);
  const Shape& in = request.shapes[0];
  const std::size_t axis = axis_of(shard::int_attribute(request.node, "axis", 0), in.size());
  const Shape sizes = sizes_of(request, in[axis]);
  for (std::int64_t size : sizes) {
    if (size < 0) fail(Fault::data, fmt::format("a part of {}", size));
  }
  if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != in[axis] ||
      sizes.size() != request.node.outputs.size()) {
    fail(Fault::data, fmt::format("parts {} for {} outputs do not make up extent {}",
                                  to_text(sizes), request.node.outputs.size(), in[axis]));
  }
  std::vector<std::string> names = factors(in.size());
  names[axis] += "!";
  shard::RuleText rule{term(names) + whole_inputs(request, 1) + " ->", {}};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string part = fmt::format("part{}", i);
    names[axis] = part + "!";
    rule.text += (i ? ", " : " ") + term(names);
    rule.extents[part] = sizes[i];
  }
  return {rule, std::vector<DType>(sizes.size(), request.dtypes[0])};
}

void run_split(const OpCall& call) {
  const Piece& whole = call.inputs[0];
  const std::size_t axis = axis_of(shard::int_attribute(call.node, "axis", 0), whole.global.size());
  std::int64_t offset = 0;
  for (const Piece& part : call.outputs) {
    if (part.view.data) copy_common(whole, moved(part, whole, axis, offset));
    offset += part.global[axis];
  }
}

}  // namespace

extern const Operator concat_op{concat_rule, run_concat, "axis"};
extern const Operator split_op{split_rule, run_split, "axis num_outputs split"};

}  // namespace tpinfer::runtime
