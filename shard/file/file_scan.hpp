// What is in one file, before files are put together to a model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shard/file/dataset_check.hpp"
#include "shard/file/model_table.hpp"
#include "shard/file/slice.hpp"
#include "shard/file/virtual_dataset.hpp"

namespace tpinfer::shard {

struct FileScan {
  FileInfo file;              // file.rank: of a shard file, else -1
  int ranks = 0;              // of a shard file or a master, else 0
  std::string checkpoint;     // of a shard file or a master
  std::vector<Slice> slices;  // under /weights; whole tensors in a file that is no shard
  std::vector<VirtualTensor> virtuals;
  std::vector<std::string> files;  // a master's list of its shard files, by rank; may be empty
  std::vector<GraphInfo> graphs;
  CallInfo calls;
  std::vector<ExampleInfo> examples;            // sources name file 0
  std::map<std::string, std::string> manifest;  // by dataset under /weights
  std::vector<std::string> unused;

  bool is_shard() const { return file.rank >= 0; }
  bool is_master() const { return file.rank < 0 && (ranks > 0 || !virtuals.empty()); }
};

// Validates one file within `limits`: a one-file model, a shard file or a master. Reads metadata,
// strings and a sample of the bytes, no tensor; follows no link to another file. Throws
// Fault::no_input when the file is missing, unreadable or not a regular file, Fault::data with
// file, object and reason when it is anything but good.
FileScan scan_file(const std::string& path, const Limits& limits);

// Whether the file is HDF5 with the root attribute format = "tpinfer". Throws as scan_file for a
// damaged one.
bool is_tpinfer_file(const std::string& path);

}  // namespace tpinfer::shard
