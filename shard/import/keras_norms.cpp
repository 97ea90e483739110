#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "kernels/base/error.hpp"
#include "shard/import/keras_layers.hpp"

namespace tpinfer::shard {
namespace {

constexpr double kDefaultEpsilon = 1e-3;  // Keras's, for both layers

// The normalised axes, counted from 0.
std::vector<std::int64_t> axes_of(const KerasCall& call) {
  auto axes = integers_in(call.layer, "axis").value_or(std::vector<std::int64_t>{-1});
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += call.inputs[0].rank;
    if (axis < 1 || axis >= call.inputs[0].rank) fail_layer(call.layer, "\"axis\" is out of range");
  }
  return axes;
}

std::vector<float> values_or(const KerasCall& call, const std::string& role, std::size_t count,
                             float fallback) {
  if (!call.weights.has(call.layer.name, role)) return std::vector<float>(count, fallback);
  std::vector<float> values = call.weights.read(call.layer.name, role);
  if (values.size() != count) {
    fail_layer(call.layer,
               fmt::format("\"{}\" has {} elements, wanted {}", role, values.size(), count));
  }
  return values;
}

}  // namespace

// y = x * scale + shift, with scale = gamma / sqrt(variance + epsilon) and shift = beta - mean *
// scale, computed in float64 and rounded once.
RankedTensor add_batch_normalization(const KerasCall& call) {
  const std::string& layer = call.layer.name;
  const auto axes = axes_of(call);
  if (axes.size() != 1) fail_layer(call.layer, "more than one axis");
  const auto mean = call.weights.read(layer, "moving_mean");
  const std::size_t count = mean.size();
  const auto variance = values_or(call, "moving_variance", count, 1.0f);
  const auto gamma = values_or(call, "gamma", count, 1.0f);
  const auto beta = values_or(call, "beta", count, 0.0f);
  const double epsilon = number_in(call.layer, "epsilon").value_or(kDefaultEpsilon);
  std::vector<float> scale(count), shift(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double factor = gamma[i] / std::sqrt(static_cast<double>(variance[i]) + epsilon);
    scale[i] = static_cast<float>(factor);
    shift[i] = static_cast<float>(beta[i] - mean[i] * factor);
  }
  const int rank = call.inputs[0].rank;
  Shape shape(static_cast<std::size_t>(rank - axes[0]), 1);  // broadcasts along the later axes
  shape[0] = static_cast<std::int64_t>(count);
  const auto scale_name = call.graph.add_weight(tensor_of(layer + "/scale", shape, scale));
  const auto shift_name = call.graph.add_weight(tensor_of(layer + "/shift", shape, shift));
  const auto scaled = call.graph.add("Mul", {call.inputs[0].name, scale_name});
  return {call.graph.add("Add", {scaled, shift_name}), rank};
}

RankedTensor add_layer_normalization(const KerasCall& call) {
  const std::string& layer = call.layer.name;
  if (flag_in(call.layer, "rms_scaling", false))
    fail_layer(call.layer, "rms_scaling is not imported");
  const auto axes = axes_of(call);
  const int rank = call.inputs[0].rank;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - static_cast<std::int64_t>(axes.size() - i)) {
      fail_layer(call.layer, "only the last axes can be normalised");
    }
  }
  const bool scaled = call.weights.has(layer, "gamma"), centred = call.weights.has(layer, "beta");
  if (!scaled && !centred) fail_layer(call.layer, "neither scale nor center: its size is unknown");
  const Shape& shape = call.weights.shape(layer, scaled ? "gamma" : "beta");
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<std::string> inputs = {
      call.inputs[0].name, call.graph.add_weight(tensor_of(layer + "/gamma", shape,
                                                           values_or(call, "gamma", count, 1)))};
  if (centred) {
    inputs.push_back(call.graph.add_weight(
        tensor_of(layer + "/beta", shape, values_or(call, "beta", count, 0))));
  }
  const double epsilon = number_in(call.layer, "epsilon").value_or(kDefaultEpsilon);
  return {call.graph.add("LayerNormalization", inputs, {{"axis", axes[0]}, {"epsilon", epsilon}}),
          rank};
}

}  // namespace tpinfer::shard
