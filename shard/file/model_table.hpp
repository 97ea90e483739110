// What a model consists of, as plain data: made by scan_model (shard/file/scan.hpp), sent to the
// other ranks as text, used by ModelFile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

// A dataset of one file.
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

struct FileInfo {
  std::string path;
  int rank = -1;         // whose shard file it is; -1: a one-file model, or a master
  bool missing = false;  // named by a master or counted by the others, but not there
  FileIdentity identity;
  bool operator==(const FileInfo&) const = default;
};

// Where a part of a tensor is stored.
struct Source {
  int file = 0;      // index into ModelTable::files
  DatasetInfo data;  // in that file; only its path when the file is missing
  Box box;           // the part of the tensor
  Shape at;          // where the part begins in the dataset
  std::string hash;  // SHA-256 of the dataset's stored bytes, from its file's manifest; or ""
  bool operator==(const Source&) const = default;
};

// A tensor, wherever its elements are. Sources may overlap (copies) and may leave holes.
struct TensorInfo {
  std::string name;  // "fc1/kernel"
  std::string path;  // "/weights/fc1/kernel"
  DType stored = DType::f32;
  Shape shape;
  std::vector<Source> sources;  // in the order of their files
  bool operator==(const TensorInfo&) const = default;
};

// The tensor that one dataset of one file holds whole.
TensorInfo whole_tensor(const DatasetInfo& data, int file);

struct GraphInfo {
  std::string name;
  std::string json;
  bool operator==(const GraphInfo&) const = default;
};

// What strings graphs together (docs/model-format.md, Methods and pipelines).
struct CallInfo {
  std::vector<GraphInfo> methods, pipelines;  // by name
  std::int64_t version = 0;                   // of the model, by its author; 0 = none
  bool operator==(const CallInfo&) const = default;
};

struct ExampleTensor {
  TensorInfo data;
  double rtol = 0;  // tolerances of an output; 0 and 0 ask for the same bits
  double atol = 0;
  bool operator==(const ExampleTensor&) const = default;
};

struct ExampleInfo {
  int index = 0;
  std::string graph;   // "" = the first graph, unless it is a method's
  std::string method;  // or a pipeline
  std::vector<ExampleTensor> inputs;
  std::vector<ExampleTensor> outputs;
  bool operator==(const ExampleInfo&) const = default;
};

struct ModelTable {
  std::string path;                 // as it was asked for: a file, a folder, a pattern
  std::vector<FileInfo> files;      // one, or a master (if any) and shard files by rank
  int ranks = 0;                    // of a sharded checkpoint; 0: a one-file model
  std::string checkpoint;           // what all files of a sharded checkpoint share
  std::vector<TensorInfo> weights;  // sorted by name
  std::vector<GraphInfo> graphs;    // by index, then by name
  CallInfo calls;
  std::vector<ExampleInfo> examples;            // by index
  std::map<std::string, std::string> manifest;  // weight -> SHA-256 of its stored bytes
  // Values of the integer weights that may decide shapes, where they could be read.
  std::map<std::string, std::vector<std::int64_t>> constants;
  std::vector<std::string> notes;   // what is odd and does no harm
  std::vector<std::string> unused;  // paths of datasets that tpinfer does not read
  bool operator==(const ModelTable&) const = default;
};

// Integer weights this small may be shape inputs, whose values planning needs.
bool may_decide_shapes(const TensorInfo& weight);

// "; 6 of 8 files are there, missing: m3.h5 (rank 3), m5.h5 (rank 5)" for those of `files`
// (indices) that are missing; "" when none is.
std::string missing_text(const ModelTable& table, const std::vector<int>& files);
std::string missing_text(const ModelTable& table);  // of all files

std::string to_json(const ModelTable& table);

// The inverse of to_json. Throws Fault::internal on anything else.
ModelTable parse_model_table(const std::string& json);

}  // namespace tpinfer::shard
