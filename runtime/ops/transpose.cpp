// Transpose (ONNX Transpose-13): permutes dimensions, and with them the layout.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"
#include "runtime/ops/rules.hpp"
#include "runtime/ops/strided_copy.hpp"

namespace tpinfer::runtime {
namespace {

// Default: all dimensions reversed.
std::vector<std::int64_t> permutation(const shard::Node& node, std::size_t dims) {
  auto perm = shard::ints_attribute(node, "perm");
  if (perm) return *perm;
  std::vector<std::int64_t> reversed;
  for (std::size_t d = dims; d-- > 0;) reversed.push_back(static_cast<std::int64_t>(d));
  return reversed;
}

RuleAnswer rule(const RuleRequest& request) {
  want_inputs(request, 1, 1);
  const std::size_t dims = request.shapes[0].size();
  const std::vector<std::int64_t> perm = permutation(request.node, dims);
  std::vector<std::int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool legal = perm.size() == dims;
  for (std::size_t d = 0; legal && d < dims; ++d) legal = sorted[d] == static_cast<std::int64_t>(d);
  if (!legal) {
    fail(Fault::data, fmt::format("perm is no permutation of the {} dimensions", dims));
  }
  const std::vector<std::string> names = factors(dims);
  std::vector<std::string> permuted;
  for (std::int64_t d : perm) permuted.push_back(names[static_cast<std::size_t>(d)]);
  return {{term(names) + " -> " + term(permuted), {}}, {request.dtypes[0]}};
}

void run(const OpCall& call) {
  const View &x = call.inputs[0].view, &y = call.outputs[0].view;
  const Shape strides = strides_of(x.shape);
  Shape permuted;
  for (std::int64_t d : permutation(call.node, x.shape.size())) {
    permuted.push_back(strides[static_cast<std::size_t>(d)]);
  }
  strided_copy(x.data, 0, permuted, y.data, y.shape, size_of(y.dtype));
}

}  // namespace

extern const Operator transpose_op{rule, run, "perm"};

}  // namespace tpinfer::runtime
