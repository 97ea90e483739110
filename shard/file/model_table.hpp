// What is in a model file, as plain data: made by scan_model (shard/file/scan.hpp), sent to the
// other ranks as text, used by ModelFile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

struct DatasetInfo {
  std::string path;  // "/weights/fc1/kernel"
  std::string name;  // "fc1/kernel": the path inside its section
  DType stored = DType::f32;
  Shape shape;
  bool contiguous = true;          // false: chunked or compact, read through HDF5
  std::uint64_t offset = 0;        // of a contiguous dataset's first byte in the file
  std::uint64_t stored_bytes = 0;  // in the file: less than the tensor's when compressed
  bool operator==(const DatasetInfo&) const = default;
};

struct GraphInfo {
  std::string name;
  std::string json;
  bool operator==(const GraphInfo&) const = default;
};

struct ExampleTensor {
  DatasetInfo data;
  double rtol = 0;  // tolerances of an output; 0 and 0 ask for the same bits
  double atol = 0;
  bool operator==(const ExampleTensor&) const = default;
};

struct ExampleInfo {
  int index = 0;
  std::string graph;  // "" = the first graph
  std::vector<ExampleTensor> inputs;
  std::vector<ExampleTensor> outputs;
  bool operator==(const ExampleInfo&) const = default;
};

struct ModelTable {
  std::string path;
  std::uint64_t file_bytes = 0;
  std::int64_t mtime_ns = 0;                    // since 1970
  std::string sample_hash;                      // SHA-256 of the first and the last 512 KiB
  std::vector<DatasetInfo> weights;             // sorted by name
  std::vector<GraphInfo> graphs;                // by index, then by name
  std::vector<ExampleInfo> examples;            // by index
  std::map<std::string, std::string> manifest;  // weight -> SHA-256 of its stored bytes
  std::vector<std::string> unused;              // paths of datasets that tpinfer does not read
  bool operator==(const ModelTable&) const = default;
};

std::string to_json(const ModelTable& table);

// The inverse of to_json. Throws Fault::internal on anything else.
ModelTable parse_model_table(const std::string& json);

}  // namespace tpinfer::shard
