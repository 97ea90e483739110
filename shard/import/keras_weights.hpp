// The weights in a Keras HDF5 file.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/shape.hpp"
#include "shard/file/model_file.hpp"

namespace tpinfer::shard {

// Holds the file open and reads tensors when they are asked for. Layout (Keras 2 and 3): the root,
// or /model_weights in a whole model, has the attribute layer_names; the group of each layer has
// weight_names, paths below it that end in "kernel:0" or "kernel".
class KerasWeights {
 public:
  // Throws Fault::data naming layer or dataset when the file is damaged or not of this layout.
  explicit KerasWeights(const std::string& path);

  // The network's configuration, in a whole model.
  const std::optional<std::string>& model_config() const { return model_config_; }
  const std::vector<std::string>& layers_with_weights() const { return layers_; }

  // `role` is the last part of the weight's name: "kernel", "bias", "gamma".
  bool has(const std::string& layer, const std::string& role) const;
  // Throw Fault::data "layer ...: the file has no ..." when it is absent.
  const Shape& shape(const std::string& layer, const std::string& role) const;
  std::vector<float> read(const std::string& layer, const std::string& role) const;

 private:
  const DatasetInfo& find(const std::string& layer, const std::string& role) const;

  std::optional<std::string> model_config_;
  std::vector<std::string> layers_;
  std::map<std::string, DatasetInfo> datasets_;  // by "layer\nrole"
  std::unique_ptr<ModelFile> file_;
};

}  // namespace tpinfer::shard
