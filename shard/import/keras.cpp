#include "shard/import/keras.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/raw_file.hpp"
#include "shard/file/superblock.hpp"
#include "shard/import/keras_config.hpp"
#include "shard/import/keras_layers.hpp"
#include "shard/import/keras_weights.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string read_config_file(const std::string& path) {
  const RawFile file(path);
  const std::uint64_t bytes = file.state().bytes;
  if (bytes > kMaxJsonBytes) {
    fail(Fault::data, fmt::format("{}: {} bytes, more than the limit of {}", printable(path), bytes,
                                  kMaxJsonBytes));
  }
  std::string text(bytes, '\0');
  file.read(0, text.data(), text.size());
  return text;
}

void check_classes(const KerasNetwork& network) {
  for (const KerasLayer& layer : network.layers) {
    if (!is_known_layer(layer.class_name)) {
      fail(Fault::data, fmt::format("layer {}: {} is not a matrix-product layer tpinfer imports",
                                    layer.name, printable(layer.class_name)));
    }
  }
}

// Turns a network into a graph, one use of a layer after the other.
class NetworkBuilder {
 public:
  NetworkBuilder(const KerasNetwork& network, const KerasWeights& weights)
      : network_(network), weights_(weights) {}

  ModelContents build();

 private:
  void add_input(const KerasLayer& layer);
  std::vector<std::int64_t> input_shape(const KerasLayer& layer) const;
  bool try_call(const KerasLayer& layer, int call);

  const KerasNetwork& network_;
  const KerasWeights& weights_;
  GraphBuilder graph_;
  std::map<KerasTensor, RankedTensor> made_;
  std::set<std::string> inputs_;
};

// From the configuration, or from the first kernel of a Sequential network without it.
std::vector<std::int64_t> NetworkBuilder::input_shape(const KerasLayer& layer) const {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    if (const auto shape = integers_in(layer, key)) return *shape;
  }
  if (network_.layers.size() > 1 && weights_.has(network_.layers[1].name, "kernel")) {
    return {-1, weights_.shape(network_.layers[1].name, "kernel").at(0)};
  }
  fail_layer(layer, "the shape of the network's input is not in its configuration");
}

void NetworkBuilder::add_input(const KerasLayer& layer) {
  ValueSpec spec;
  spec.name = layer.name;
  const std::string dtype = text_in(layer, "dtype", "float32");
  const auto parsed = parse_dtype(dtype);
  if (!parsed) fail_layer(layer, "unknown dtype " + printable(dtype));
  spec.dtype = is_float(*parsed) ? DType::f32 : *parsed;
  for (const std::int64_t extent : input_shape(layer)) {
    const std::string symbol =
        spec.shape.empty() ? "batch" : fmt::format("{}_dim{}", layer.name, spec.shape.size());
    spec.shape.push_back(extent < 0 ? Extent{0, symbol} : Extent{extent, ""});
  }
  const int rank = static_cast<int>(spec.shape.size());
  if (rank < 1) fail_layer(layer, "an input without a batch dimension");
  graph_.set_scope(layer.name);
  graph_.add_input(spec);
  inputs_.insert(layer.name);
  std::string tensor = layer.name;
  if (!is_float(*parsed)) {
    constexpr std::int64_t kOnnxFloat = 1;
    tensor = graph_.add("Cast", {tensor}, {{"to", kOnnxFloat}});
  }
  made_[{layer.name, 0}] = {tensor, rank};
}

// False while an input of this use is not made yet.
bool NetworkBuilder::try_call(const KerasLayer& layer, int call) {
  std::vector<RankedTensor> inputs;
  for (const KerasTensor& input : layer.calls[static_cast<std::size_t>(call)]) {
    const auto found = made_.find(input);
    if (found == made_.end()) return false;
    inputs.push_back(found->second);
  }
  if (inputs.empty()) fail_layer(layer, "has no input");
  const std::string name = call == 0 ? layer.name : fmt::format("{}_{}", layer.name, call);
  graph_.set_scope(name);
  RankedTensor output = add_keras_layer({layer, weights_, graph_, inputs});
  const bool passed_on = std::any_of(inputs.begin(), inputs.end(), [&](const RankedTensor& input) {
    return input.name == output.name;
  });
  if (!passed_on) output.name = graph_.rename_last(output.name, name);
  made_[{layer.name, call}] = output;
  return true;
}

ModelContents NetworkBuilder::build() {
  std::vector<std::pair<const KerasLayer*, int>> waiting;
  for (const KerasLayer& layer : network_.layers) {
    if (layer.class_name == "InputLayer") {
      add_input(layer);
      continue;
    }
    for (std::size_t call = 0; call < layer.calls.size(); ++call) {
      waiting.emplace_back(&layer, static_cast<int>(call));
    }
  }
  while (!waiting.empty()) {
    const std::size_t before = waiting.size();
    std::erase_if(waiting, [&](const auto& use) { return try_call(*use.first, use.second); });
    if (waiting.size() == before) {
      fail_layer(*waiting[0].first, "an input of it is never made, or the layers form a cycle");
    }
  }
  std::vector<std::string> outputs;
  for (const KerasTensor& output : network_.outputs) {
    const auto found = made_.find(output);
    if (found == made_.end()) {
      fail(Fault::data, fmt::format("output layer {} does not exist", printable(output.layer)));
    }
    std::string tensor = found->second.name;
    graph_.set_scope(output.layer);
    if (inputs_.contains(tensor)) tensor = graph_.add("Identity", {tensor});
    outputs.push_back(tensor);
  }
  return graph_.finish("main", outputs);
}

std::vector<std::string> notes_for(const KerasNetwork& network, const KerasWeights& weights) {
  std::vector<std::string> left_out, notes;
  std::set<std::string> names;
  for (const KerasLayer& layer : network.layers) {
    names.insert(layer.name);
    if (is_left_out(layer.class_name)) left_out.push_back(layer.name);
  }
  if (!left_out.empty()) {
    notes.push_back(fmt::format("left out, because they do nothing at inference: {}",
                                fmt::join(left_out, ", ")));
  }
  for (const std::string& layer : weights.layers_with_weights()) {
    if (!names.contains(layer)) {
      notes.push_back(
          fmt::format("the weights of layer {} are not used: the network has no such "
                      "layer",
                      layer));
    }
  }
  return notes;
}

}  // namespace

bool recognise_keras(const std::string& path) {
  const RawFile raw(path);
  if (!has_hdf5_signature(raw)) return false;
  check_superblock(raw);
  const Hdf5Handle file = open_hdf5(path, printable(path));
  return text_attribute(file.id(), "model_config", "/") ||
         texts_attribute(file.id(), "layer_names", "/") ||
         texts_attribute(file.id(), "layer_names0", "/");
}

ImportedModel import_keras(const std::string& path, const ImportOptions& options) {
  try {
    const KerasWeights weights(path);
    if (!weights.model_config() && options.config.empty()) {
      fail(Fault::usage, "holds weights only: give the network's JSON with --config FILE");
    }
    const KerasNetwork network = parse_keras_config(
        options.config.empty() ? *weights.model_config() : read_config_file(options.config));
    check_classes(network);
    ImportedModel model;
    model.contents = NetworkBuilder(network, weights).build();
    model.notes = notes_for(network, weights);
    return model;
  } catch (const Error& error) {
    if (error.fault() == Fault::no_input) throw;  // names its own path
    fail_in(printable(path), error);
  }
}

}  // namespace tpinfer::shard
