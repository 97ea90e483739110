// The configuration that Keras writes as JSON (versions 2 and 3), as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tpinfer::shard {

// The output of the `call`-th use of a layer.
struct KerasTensor {
  std::string layer;
  int call = 0;
  bool operator<(const KerasTensor& other) const {
    return layer != other.layer ? layer < other.layer : call < other.call;
  }
};

struct KerasLayer {
  std::string name;
  std::string class_name;                       // "Dense"
  std::string config;                           // a JSON object
  std::vector<std::vector<KerasTensor>> calls;  // inputs of each use; an InputLayer has one, empty
};

struct KerasNetwork {
  std::vector<KerasLayer> layers;  // a Sequential network gets an InputLayer when it has none
  std::vector<KerasTensor> outputs;
};

// Throws Fault::data naming layer and field for anything that is not a Sequential or functional
// network (a subclassed model has no configuration of its layers).
KerasNetwork parse_keras_config(const std::string& json);

// Fields of a layer's configuration; empty, or `fallback`, when absent or null. Throw Fault::data
// naming layer and field for another type.
std::optional<double> number_in(const KerasLayer& layer, const std::string& key);
bool flag_in(const KerasLayer& layer, const std::string& key, bool fallback);
// Also takes Keras 3's objects: {"class_name": "function", "config": "relu"}.
std::string text_in(const KerasLayer& layer, const std::string& key, const std::string& fallback);
// One integer or a list; null (an extent unknown) is -1.
std::optional<std::vector<std::int64_t>> integers_in(const KerasLayer& layer,
                                                     const std::string& key);

}  // namespace tpinfer::shard
