// Writes a model file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// A tensor to be written. `fill` is called once, with memory for byte_count(shape, dtype) bytes,
// and writes the stored elements there.
struct TensorSource {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::function<void(void* out)> fill;
  double rtol = 0;  // of an example's output
  double atol = 0;
};

struct ExampleSource {
  std::string graph;  // "" = the first graph
  std::vector<TensorSource> inputs;
  std::vector<TensorSource> outputs;
};

struct ModelContents {
  std::vector<GraphInfo> graphs;  // in the order of their index
  std::vector<TensorSource> weights;
  std::vector<ExampleSource> examples;
  CallInfo calls = {};
};

// A source over elements that are already in memory.
TensorSource tensor_of(const std::string& name, Shape shape, std::vector<float> values);
TensorSource tensor_of(const std::string& name, Shape shape, std::vector<std::int64_t> values);

class StructureWriter;

// Writes graphs with their indices, methods, pipelines and the model's version.
void write_graphs(StructureWriter& writer, const std::vector<GraphInfo>& graphs,
                  const CallInfo& calls);

// Writes `path`: plain contiguous datasets at multiples of 4096 bytes, and a manifest with the hash
// of every weight. Equal contents give equal bytes. One tensor is in memory at a time. Atomic: an
// old file stays untouched until the new one is complete and on disk, and no temporary is left
// after an exception. Throws Fault::cannot_create, Fault::io when writing fails, Fault::data for
// names that cannot stand side by side.
void write_model(const std::string& path, const ModelContents& contents);

}  // namespace tpinfer::shard
