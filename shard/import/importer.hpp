// From foreign model formats to graphs and weights. A new format is one file and one line in the
// table of importer.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shard/file/model_writer.hpp"

namespace tpinfer::shard {

struct ImportOptions {
  std::string config;  // path of a companion file that describes the network; "" = none
};

struct ImportedModel {
  ModelContents contents;          // ready for write_model
  std::vector<std::string> notes;  // one line each: what was left out or changed
};

struct Importer {
  std::string_view name;         // "keras"
  std::string_view description;  // for lists: "Keras .h5: a whole model, or weights with --config"
  // Whether the file's content is of this format. Throws Fault::data when it is, but damaged.
  bool (*recognise)(const std::string& path);
  ImportedModel (*import_model)(const std::string& path, const ImportOptions& options);
};

std::span<const Importer> importers();

// Imports with the first importer that recognises the file. Throws Fault::no_input, Fault::data
// (unknown format: the text lists the known ones; a part of the network that tpinfer cannot run:
// the text names it), Fault::usage when the file needs options.config.
ImportedModel import_model(const std::string& path, const ImportOptions& options);

}  // namespace tpinfer::shard
