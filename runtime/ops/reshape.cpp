// Operators that only rename dimensions: Reshape, Flatten, Squeeze, Unsqueeze, Identity. The local
// elements keep their order, so running one is one copy.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"

namespace tpinfer::runtime {
namespace {

// Writes both shapes in common factors: (2,12,64) -> (2,768) is "d0 d1 d2 -> d0 (d1 d2)". Where
// the borders have no common divisor the rest is whole: (6,4) -> (4,6) is "d0! d1! -> d2! d3!".
class Refinement {
 public:
  Refinement(const Shape& in, const Shape& out) : in_(in), out_(out) {
    in_terms_.resize(in.size());
    out_terms_.resize(out.size());
  }

  shard::RuleText rule() {
    const bool empty = std::find(in_.begin(), in_.end(), 0) != in_.end();
    std::size_t i = 0, o = 0;
    std::int64_t left = 1, right = 1;  // what is left of dimensions i-1 and o-1
    while (!empty) {
      while (left == 1 && i < in_.size()) left = in_[i++];
      while (right == 1 && o < out_.size()) right = out_[o++];
      if (left == 1 && right == 1) break;
      const std::int64_t common = left % right == 0 ? right : right % left == 0 ? left : 0;
      if (common == 0) break;
      const std::string name = factor(common, "");
      in_terms_[i - 1].push_back(name);
      out_terms_[o - 1].push_back(name);
      left /= common;
      right /= common;
    }
    if (empty) left = right = 0;
    if (left != 1 || right != 1) make_rest_whole(i, o, left, right);
    return {side(in_terms_) + in_rest_ + " -> " + side(out_terms_), extents_};
  }

  void append_inputs(const std::string& terms) { in_rest_ = terms; }

 private:
  std::string factor(std::int64_t extent, const char* mark) {
    const std::string name = fmt::format("d{}", extents_.size());
    extents_[name] = extent;
    return name + mark;
  }

  void make_rest_whole(std::size_t i, std::size_t o, std::int64_t left, std::int64_t right) {
    if (i > 0 && left > 1) in_terms_[i - 1].push_back(factor(left, "!"));
    if (o > 0 && right > 1) out_terms_[o - 1].push_back(factor(right, "!"));
    for (; i < in_.size(); ++i) in_terms_[i].push_back(factor(in_[i], "!"));
    for (; o < out_.size(); ++o) out_terms_[o].push_back(factor(out_[o], "!"));
  }

  static std::string side(const std::vector<std::vector<std::string>>& terms) {
    std::vector<std::string> dims;
    for (const auto& names : terms) {
      dims.push_back(names.empty() ? "1" : names.size() == 1 ? names[0] : "(" + term(names) + ")");
    }
    return term(dims);
  }

  const Shape& in_;
  const Shape& out_;
  std::vector<std::vector<std::string>> in_terms_, out_terms_;
  std::string in_rest_;
  std::map<std::string, std::int64_t> extents_;
};

RuleAnswer renamed(const RuleRequest& request, const Shape& out) {
  const Shape& in = request.shapes[0];
  if (element_count(in) != element_count(out)) {
    fail(Fault::data, fmt::format("{} has {} elements, {} has {}", to_text(in), element_count(in),
                                  to_text(out), element_count(out)));
  }
  Refinement refinement(in, out);
  refinement.append_inputs(whole_inputs(request, 1));
  return {refinement.rule(), {request.dtypes[0]}};
}

RuleAnswer reshape_rule(const RuleRequest& request) {
  want_inputs(request, 1, 2);
  const auto wanted = integers(request, 1, "shape");
  if (!wanted) fail(Fault::data, "the new shape is missing");
  const Shape& in = request.shapes[0];
  const bool zero_copies = shard::int_attribute(request.node, "allowzero", 0) == 0;
  Shape out = *wanted;
  std::optional<std::size_t> open;
  std::int64_t known = 1;
  for (std::size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 0 && zero_copies) {
      if (d >= in.size()) fail(Fault::data, fmt::format("new dimension {} copies none", d));
      out[d] = in[d];
    }
    if (out[d] < -1) fail(Fault::data, fmt::format("new dimension {} is {}", d, out[d]));
    if (out[d] == -1) {
      if (open) fail(Fault::data, "more than one new dimension is -1");
      open = d;
    } else {
      known *= out[d];
    }
  }
  if (open) out[*open] = known == 0 ? 0 : element_count(in) / known;
  return renamed(request, out);
}

RuleAnswer flatten_rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  const Shape& in = request.shapes[0];
  const std::int64_t axis = shard::int_attribute(request.node, "axis", 1);
  const auto dims = static_cast<std::int64_t>(in.size());
  if (axis < -dims || axis > dims) {
    fail(Fault::data, fmt::format("axis {} of a tensor with {} dimensions", axis, dims));
  }
  const auto border = in.begin() + (axis < 0 ? axis + dims : axis);
  return renamed(
      request, {element_count(Shape(in.begin(), border)), element_count(Shape(border, in.end()))});
}

RuleAnswer squeeze_rule(const RuleRequest& request) {
  want_inputs(request, 1, 2);
  const Shape& in = request.shapes[0];
  const auto axes = integers(request, 1, "axes");
  std::vector<bool> gone(in.size(), false);
  for (std::size_t d = 0; !axes && d < in.size(); ++d) gone[d] = in[d] == 1;
  for (std::size_t i = 0; axes && i < axes->size(); ++i) {
    const std::size_t d = axis_of((*axes)[i], in.size());
    if (in[d] != 1) fail(Fault::data, fmt::format("axis {} has extent {}, not 1", d, in[d]));
    gone[d] = true;
  }
  Shape out;
  for (std::size_t d = 0; d < in.size(); ++d) {
    if (!gone[d]) out.push_back(in[d]);
  }
  return renamed(request, out);
}

RuleAnswer unsqueeze_rule(const RuleRequest& request) {
  want_inputs(request, 1, 2);
  const auto axes = integers(request, 1, "axes");
  if (!axes) fail(Fault::data, "the axes are missing");
  const Shape& in = request.shapes[0];
  Shape out(in.size() + axes->size(), -1);
  for (std::int64_t axis : *axes) {
    const std::size_t d = axis_of(axis, out.size());
    if (out[d] == 1) fail(Fault::data, fmt::format("axis {} is given twice", d));
    out[d] = 1;
  }
  std::size_t next = 0;
  for (std::int64_t& extent : out) {
    if (extent == -1) extent = in[next++];
  }
  return renamed(request, out);
}

RuleAnswer identity_rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  const std::string dims = term(factors(request.shapes[0].size()));
  return {{dims + " -> " + dims, {}}, {request.dtypes[0]}};
}

void run_copy(const OpCall& call) {
  const View& x = call.inputs[0].view;
  if (x.count() > 0) std::memcpy(call.outputs[0].view.data, x.data, x.bytes());
}

}  // namespace

extern const Operator reshape_op{reshape_rule, run_copy, "allowzero shape"};
extern const Operator flatten_op{flatten_rule, run_copy, "axis"};
extern const Operator squeeze_op{squeeze_rule, run_copy, "axes"};
extern const Operator unsqueeze_op{unsqueeze_rule, run_copy, "axes"};
extern const Operator identity_op{identity_rule, run_copy};

}  // namespace tpinfer::runtime
