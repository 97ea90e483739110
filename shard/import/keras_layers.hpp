// What each Keras layer becomes.
#pragma once

#include <string>
#include <vector>

#include "shard/import/graph_builder.hpp"
#include "shard/import/keras_config.hpp"
#include "shard/import/keras_weights.hpp"

namespace tpinfer::shard {

struct RankedTensor {
  std::string name;
  int rank = 0;  // the batch included
};

// One use of a layer.
struct KerasCall {
  const KerasLayer& layer;
  const KerasWeights& weights;
  GraphBuilder& graph;
  std::vector<RankedTensor> inputs;  // at least one
};

// Appends the layer's nodes and weights; returns its output. Throws Fault::data naming layer and
// class for a layer or an option that tpinfer cannot run.
RankedTensor add_keras_layer(const KerasCall& call);

// Whether tpinfer imports this class of layers, and whether it does nothing at inference.
bool is_known_layer(const std::string& class_name);
bool is_left_out(const std::string& class_name);

// Appends the activation called `name` ("linear" appends nothing).
std::string add_keras_activation(const KerasCall& call, const std::string& name,
                                 const std::string& tensor);

// BatchNormalization, LayerNormalization.
RankedTensor add_batch_normalization(const KerasCall& call);
RankedTensor add_layer_normalization(const KerasCall& call);

[[noreturn]] void fail_layer(const KerasLayer& layer, const std::string& what);

}  // namespace tpinfer::shard
