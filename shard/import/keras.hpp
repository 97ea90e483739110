// Keras models in HDF5.
#pragma once

#include <string>

#include "shard/import/importer.hpp"

namespace tpinfer::shard {

// Keras's HDF5 layout: a root attribute model_config (a whole model) or layer_names (weights).
bool recognise_keras(const std::string& path);

// Dense networks: Sequential, and functional with branches and merges. The graph is called "main",
// its batch extent "batch"; weights keep Keras's names ("dense_1/kernel"), dropout is left out,
// batch normalisation becomes one multiplication and one addition. See import_model for errors.
ImportedModel import_keras(const std::string& path, const ImportOptions& options);

}  // namespace tpinfer::shard
