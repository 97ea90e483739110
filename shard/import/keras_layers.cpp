#include "shard/import/keras_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

using Add = RankedTensor (*)(const KerasCall& call);

RankedTensor add_dense(const KerasCall& call) {
  const std::string& layer = call.layer.name;
  const Shape& kernel = call.weights.shape(layer, "kernel");
  if (kernel.size() != 2) fail_layer(call.layer, "its kernel has shape " + to_text(kernel));
  const auto kernel_name = call.graph.add_weight(
      tensor_of(layer + "/kernel", kernel, call.weights.read(layer, "kernel")));
  std::string x = call.graph.add("MatMul", {call.inputs[0].name, kernel_name});
  if (flag_in(call.layer, "use_bias", true)) {
    const Shape& bias = call.weights.shape(layer, "bias");
    if (bias != Shape{kernel[1]}) {
      fail_layer(call.layer, fmt::format("its bias has shape {}, its kernel {}", to_text(bias),
                                         to_text(kernel)));
    }
    const auto bias_name =
        call.graph.add_weight(tensor_of(layer + "/bias", bias, call.weights.read(layer, "bias")));
    x = call.graph.add("Add", {x, bias_name});
  }
  x = add_keras_activation(call, text_in(call.layer, "activation", "linear"), x);
  return {x, call.inputs[0].rank};
}

RankedTensor add_activation(const KerasCall& call) {
  const std::string name = text_in(call.layer, "activation", "linear");
  return {add_keras_activation(call, name, call.inputs[0].name), call.inputs[0].rank};
}

RankedTensor add_relu(const KerasCall& call) {
  if (number_in(call.layer, "threshold").value_or(0) != 0) {
    fail_layer(call.layer, "a threshold other than 0 is not imported");
  }
  const double slope = number_in(call.layer, "negative_slope").value_or(0);
  std::string x = call.inputs[0].name;
  x = slope == 0 ? call.graph.add("Relu", {x})
                 : call.graph.add("LeakyRelu", {x}, {{"alpha", slope}});
  if (const auto most = number_in(call.layer, "max_value")) {
    x = call.graph.add("Min", {x, call.graph.add_scalar("max_value", static_cast<float>(*most))});
  }
  return {x, call.inputs[0].rank};
}

RankedTensor add_leaky_relu(const KerasCall& call) {
  const auto alpha = number_in(call.layer, "alpha");  // Keras 2
  const double slope = alpha ? *alpha : number_in(call.layer, "negative_slope").value_or(0.3);
  return {call.graph.add("LeakyRelu", {call.inputs[0].name}, {{"alpha", slope}}),
          call.inputs[0].rank};
}

RankedTensor add_elu(const KerasCall& call) {
  const double alpha = number_in(call.layer, "alpha").value_or(1);
  return {call.graph.add("Elu", {call.inputs[0].name}, {{"alpha", alpha}}), call.inputs[0].rank};
}

RankedTensor add_softmax(const KerasCall& call) {
  const auto axes = integers_in(call.layer, "axis").value_or(std::vector<std::int64_t>{-1});
  if (axes.size() != 1) fail_layer(call.layer, "more than one axis");
  return {call.graph.add("Softmax", {call.inputs[0].name}, {{"axis", axes[0]}}),
          call.inputs[0].rank};
}

RankedTensor add_flatten(const KerasCall& call) {
  if (call.inputs[0].rank > 2 && text_in(call.layer, "data_format", "") == "channels_first") {
    fail_layer(call.layer, "channels_first is not imported");
  }
  return {call.graph.add("Flatten", {call.inputs[0].name}, {{"axis", std::int64_t{1}}}), 2};
}

RankedTensor add_reshape(const KerasCall& call) {
  const auto target = integers_in(call.layer, "target_shape");
  if (!target) fail_layer(call.layer, "\"target_shape\" is missing");
  std::vector<std::int64_t> shape = {0};  // ONNX: 0 keeps the input's extent, here the batch
  shape.insert(shape.end(), target->begin(), target->end());
  const int rank = static_cast<int>(shape.size());
  const auto weight =
      call.graph.add_weight(tensor_of(call.layer.name + "/shape", {rank}, std::move(shape)));
  return {call.graph.add("Reshape", {call.inputs[0].name, weight}), rank};
}

RankedTensor add_permute(const KerasCall& call) {
  const auto dims = integers_in(call.layer, "dims");
  if (!dims || static_cast<int>(dims->size()) + 1 != call.inputs[0].rank) {
    fail_layer(call.layer, "\"dims\" does not fit its input");
  }
  std::vector<std::int64_t> permutation = {0};
  permutation.insert(permutation.end(), dims->begin(), dims->end());
  return {call.graph.add("Transpose", {call.inputs[0].name}, {{"perm", permutation}}),
          call.inputs[0].rank};
}

RankedTensor add_concatenate(const KerasCall& call) {
  const auto axis = integers_in(call.layer, "axis").value_or(std::vector<std::int64_t>{-1});
  std::vector<std::string> inputs;
  for (const RankedTensor& input : call.inputs) inputs.push_back(input.name);
  return {call.graph.add("Concat", inputs, {{"axis", axis.at(0)}}), call.inputs[0].rank};
}

// Add, Multiply, ...: from left to right.
RankedTensor add_merge(const KerasCall& call, const std::string& op) {
  if (call.inputs.size() < 2) fail_layer(call.layer, "needs at least two inputs");
  RankedTensor merged = call.inputs[0];
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.inputs[i].rank != merged.rank) fail_layer(call.layer, "inputs of different ranks");
    merged.name = call.graph.add(op, {merged.name, call.inputs[i].name});
  }
  return merged;
}

RankedTensor leave_out(const KerasCall& call) { return call.inputs[0]; }

struct Row {
  std::string_view class_name;
  Add add;
};

constexpr std::array<Row, 24> kLayers{{
    {"Dense", add_dense},
    {"Activation", add_activation},
    {"ReLU", add_relu},
    {"LeakyReLU", add_leaky_relu},
    {"ELU", add_elu},
    {"Softmax", add_softmax},
    {"Flatten", add_flatten},
    {"Reshape", add_reshape},
    {"Permute", add_permute},
    {"BatchNormalization", add_batch_normalization},
    {"LayerNormalization", add_layer_normalization},
    {"Concatenate", add_concatenate},
    {"Add", [](const KerasCall& call) { return add_merge(call, "Add"); }},
    {"Multiply", [](const KerasCall& call) { return add_merge(call, "Mul"); }},
    {"Subtract", [](const KerasCall& call) { return add_merge(call, "Sub"); }},
    {"Maximum", [](const KerasCall& call) { return add_merge(call, "Max"); }},
    {"Minimum", [](const KerasCall& call) { return add_merge(call, "Min"); }},
    {"Dropout", leave_out},
    {"AlphaDropout", leave_out},
    {"GaussianDropout", leave_out},
    {"GaussianNoise", leave_out},
    {"SpatialDropout1D", leave_out},
    {"ActivityRegularization", leave_out},
    {"InputLayer", nullptr},  // becomes a graph input
}};

const Row* find_row(const std::string& class_name) {
  const auto found = std::find_if(kLayers.begin(), kLayers.end(),
                                  [&](const Row& row) { return row.class_name == class_name; });
  return found == kLayers.end() ? nullptr : &*found;
}

}  // namespace

void fail_layer(const KerasLayer& layer, const std::string& what) {
  fail(Fault::data, fmt::format("layer {} ({}): {}", layer.name, layer.class_name, what));
}

bool is_known_layer(const std::string& class_name) { return find_row(class_name) != nullptr; }

bool is_left_out(const std::string& class_name) {
  const Row* row = find_row(class_name);
  return row != nullptr && row->add == leave_out;
}

RankedTensor add_keras_layer(const KerasCall& call) {
  const Row* row = find_row(call.layer.class_name);
  if (row == nullptr || row->add == nullptr) {
    fail(Fault::internal, "no nodes for the Keras layer class " + call.layer.class_name);
  }
  return row->add(call);
}

}  // namespace tpinfer::shard
