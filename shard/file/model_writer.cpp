#include "shard/file/model_writer.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/file/manifest.hpp"
#include "shard/file/structure_writer.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

// Returns the hash of the stored bytes.
std::string write_tensor(StructureWriter& writer, const std::string& path,
                         const TensorSource& source) {
  check_name(path, source.name);
  std::vector<unsigned char> data(byte_count(source.shape, source.dtype));
  if (!data.empty()) source.fill(data.data());
  writer.add_tensor(path, source.dtype, source.shape, data.data());
  return sha256_hex(data.data(), data.size());
}

void write_example(StructureWriter& writer, std::size_t index, const ExampleSource& example) {
  const std::string base = fmt::format("/examples/{}", index);
  for (const TensorSource& input : example.inputs) {
    write_tensor(writer, base + "/inputs/" + input.name, input);
  }
  for (const TensorSource& output : example.outputs) {
    const std::string path = base + "/outputs/" + output.name;
    write_tensor(writer, path, output);
    writer.set(path, "rtol", output.rtol);
    writer.set(path, "atol", output.atol);
  }
  if (!example.graph.empty()) writer.set(base, "graph", example.graph);
}

template <typename T>
TensorSource source_of(const std::string& name, Shape shape, std::vector<T> values, DType dtype) {
  if (element_count(shape) != static_cast<std::int64_t>(values.size())) {
    fail(Fault::internal,
         fmt::format("{}: {} values for shape {}", name, values.size(), to_text(shape)));
  }
  TensorSource source;
  source.name = name;
  source.dtype = dtype;
  source.shape = std::move(shape);
  source.fill = [kept = std::move(values)](void* out) {
    std::memcpy(out, kept.data(), kept.size() * sizeof(T));
  };
  return source;
}

}  // namespace

void write_graphs(StructureWriter& writer, const std::vector<GraphInfo>& graphs,
                  const CallInfo& calls) {
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    const std::string path = "/graphs/" + graphs[i].name;
    writer.add_text(path, graphs[i].json);
    writer.set(path, "index", static_cast<std::int64_t>(i));
  }
  for (const GraphInfo& method : calls.methods) {
    writer.add_text("/methods/" + method.name, method.json);
  }
  for (const GraphInfo& pipeline : calls.pipelines) {
    writer.add_text("/pipelines/" + pipeline.name, pipeline.json);
  }
  if (calls.version > 0) writer.set("/", "version", calls.version);
}

TensorSource tensor_of(const std::string& name, Shape shape, std::vector<float> values) {
  return source_of(name, std::move(shape), std::move(values), DType::f32);
}

TensorSource tensor_of(const std::string& name, Shape shape, std::vector<std::int64_t> values) {
  return source_of(name, std::move(shape), std::move(values), DType::i64);
}

void write_model(const std::string& path, const ModelContents& contents) {
  const std::string shown = printable(path);
  OutputFile file(path, OutputFile::Naming::named);
  StructureWriter writer(file.working_path(), shown, StructureWriter::Mode::create);
  Manifest hashes;
  for (const TensorSource& weight : contents.weights) {
    hashes[weight.name] = write_tensor(writer, "/weights/" + weight.name, weight);
  }
  write_graphs(writer, contents.graphs, contents.calls);
  for (std::size_t i = 0; i < contents.examples.size(); ++i) {
    write_example(writer, i, contents.examples[i]);
  }
  writer.add_text("/manifest", to_json(hashes));
  writer.close();
  file.commit();
}

}  // namespace tpinfer::shard
