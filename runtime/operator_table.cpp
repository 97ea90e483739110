#include "runtime/op.hpp"

namespace tpinfer::runtime {

extern const Operator abs_op, add_op, argmax_op, cast_op, clip_op, concat_op, div_op, elu_op,
    erf_op, exp_op, flatten_op, gelu_op, identity_op, layer_normalization_op, leaky_relu_op, log_op,
    log_softmax_op, matmul_op, max_op, min_op, mul_op, neg_op, pow_op, reduce_max_op,
    reduce_mean_op, reduce_sum_op, relu_op, reshape_op, scale_op, sigmoid_op, slice_op, softmax_op,
    split_op, sqrt_op, squeeze_op, sub_op, tanh_op, transpose_op, unsqueeze_op;

// One line per operator.
const std::map<std::string, Operator>& operator_table() {
  static const std::map<std::string, Operator> table{
      {"Abs", abs_op},
      {"Add", add_op},
      {"ArgMax", argmax_op},
      {"Cast", cast_op},
      {"Clip", clip_op},
      {"Concat", concat_op},
      {"Div", div_op},
      {"Elu", elu_op},
      {"Erf", erf_op},
      {"Exp", exp_op},
      {"Flatten", flatten_op},
      {"Gelu", gelu_op},
      {"Identity", identity_op},
      {"LayerNormalization", layer_normalization_op},
      {"LeakyRelu", leaky_relu_op},
      {"Log", log_op},
      {"LogSoftmax", log_softmax_op},
      {"MatMul", matmul_op},
      {"Max", max_op},
      {"Min", min_op},
      {"Mul", mul_op},
      {"Neg", neg_op},
      {"Pow", pow_op},
      {"ReduceMax", reduce_max_op},
      {"ReduceMean", reduce_mean_op},
      {"ReduceSum", reduce_sum_op},
      {"Relu", relu_op},
      {"Reshape", reshape_op},
      {"Scale", scale_op},
      {"Sigmoid", sigmoid_op},
      {"Slice", slice_op},
      {"Softmax", softmax_op},
      {"Split", split_op},
      {"Sqrt", sqrt_op},
      {"Squeeze", squeeze_op},
      {"Sub", sub_op},
      {"Tanh", tanh_op},
      {"Transpose", transpose_op},
      {"Unsqueeze", unsqueeze_op},
  };
  return table;
}

const shard::RuleTable& rule_table() {
  static const shard::RuleTable table = [] {
    shard::RuleTable rules;
    for (const auto& [name, op] : operator_table()) rules[name] = op.rule;
    return rules;
  }();
  return table;
}

}  // namespace tpinfer::runtime
