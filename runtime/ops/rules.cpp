#include "runtime/ops/rules.hpp"

#include <fmt/format.h>

#include "kernels/base/error.hpp"

namespace tpinfer::runtime {

void want_inputs(const RuleRequest& request, std::size_t least, std::size_t most) {
  std::size_t given = request.present.size();
  if (given < least || given > most) {
    fail(Fault::data, least == most
                          ? fmt::format("{} inputs given, {} wanted", given, least)
                          : fmt::format("{} inputs given, {} to {} wanted", given, least, most));
  }
  for (std::size_t i = 0; i < least; ++i) {
    if (!request.present[i]) fail(Fault::data, fmt::format("input {} is missing", i));
  }
}

void want_float(const RuleRequest& request, std::size_t input) {
  if (request.present[input] && request.dtypes[input] != DType::f32) {
    fail(Fault::data, fmt::format("input {} is {}, the operator computes in float32", input,
                                  name_of(request.dtypes[input])));
  }
}

DType common_dtype(const RuleRequest& request) {
  for (std::size_t i = 1; i < request.dtypes.size(); ++i) {
    if (request.present[i] && request.dtypes[i] != request.dtypes[0]) {
      fail(Fault::data, fmt::format("input 0 is {} and input {} is {}; put a Cast between",
                                    name_of(request.dtypes[0]), i, name_of(request.dtypes[i])));
    }
  }
  return request.dtypes[0];
}

std::size_t axis_of(std::int64_t axis, std::size_t dims) {
  const auto count = static_cast<std::int64_t>(dims);
  if (axis < -count || axis >= count) {
    fail(Fault::data, fmt::format("axis {} of a tensor with {} dimensions", axis, dims));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

std::optional<std::vector<std::int64_t>> integers(const RuleRequest& request, std::size_t input,
                                                  const std::string& key) {
  if (input < request.present.size() && request.present[input]) {
    if (!request.constants[input]) {
      fail(Fault::data, fmt::format("input {} ({}) must be a constant: shapes that depend on data "
                                    "cannot be planned; store it as an int64 weight",
                                    request.node.inputs[input], key));
    }
    return request.constants[input];
  }
  return shard::ints_attribute(request.node, key);
}

std::vector<std::string> factors(std::size_t dims) {
  std::vector<std::string> names;
  for (std::size_t d = 0; d < dims; ++d) names.push_back(fmt::format("d{}", d));
  return names;
}

std::string term(const std::vector<std::string>& dims) {
  return fmt::format("{}", fmt::join(dims, " "));
}

shard::RuleText broadcast_rule(const RuleRequest& request) {
  Shape out;
  for (std::size_t i = 0; i < request.shapes.size(); ++i) {
    if (request.present[i]) out = broadcast(out, request.shapes[i]);
  }
  std::string text;
  for (std::size_t i = 0; i < request.shapes.size(); ++i) {
    const Shape& shape = request.shapes[i];
    text += i ? ", " : "";
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::size_t at = out.size() - shape.size() + d;
      text += shape[d] == 1 && out[at] != 1 ? "1 " : fmt::format("d{} ", at);
    }
  }
  shard::RuleText rule{text + "-> " + term(factors(out.size())), {}};
  for (std::size_t d = 0; d < out.size(); ++d) rule.extents[fmt::format("d{}", d)] = out[d];
  return rule;
}

std::string whole_inputs(const RuleRequest& request, std::size_t first) {
  std::string text;
  for (std::size_t i = first; i < request.shapes.size(); ++i) {
    text += ",";
    for (std::size_t d = 0; d < request.shapes[i].size(); ++d)
      text += fmt::format(" w{}_{}!", i, d);
  }
  return text;
}

}  // namespace tpinfer::runtime
