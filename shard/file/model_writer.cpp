#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/model_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/sha256.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/file/element_type.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr hsize_t kAlignment = 4096;  // a page: a shard can be mapped

// An HDF5 call that writes; a failure is the disk's.
void wrote(herr_t result, const std::string& where) {
  if (result < 0) fail(Fault::io, fmt::format("{}: writing failed{}", where, hdf5_reason()));
}

Hdf5Handle text_type(std::size_t bytes) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "string type");
  H5Tset_size(type.id(), std::max<std::size_t>(1, bytes));
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  return type;
}

Hdf5Handle scalar_space() { return Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose, "dataspace"); }

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t memory_type,
                     const void* value) {
  const Hdf5Handle space = scalar_space();
  const Hdf5Handle attribute(
      H5Acreate2(object, name.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, name);
  wrote(H5Awrite(attribute.id(), memory_type, value), name);
}

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
  const Hdf5Handle type = text_type(text.size());
  write_attribute(object, name, type.id(), type.id(), text.data());
}

void write_attribute(hid_t object, const std::string& name, std::int64_t value) {
  write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void write_attribute(hid_t object, const std::string& name, double value) {
  write_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

// Creates the temporary file and writes the sections into it.
class Writer {
 public:
  Writer(const std::string& file_path, const std::string& shown);

  // Returns the hash of the stored bytes.
  std::string write_tensor(const std::string& path, const TensorSource& source, bool tolerances);
  void write_text(const std::string& path, const std::string& text, std::int64_t index);
  void write_example(std::size_t index, const ExampleSource& example);
  void close();

 private:
  Hdf5Handle create(const std::string& path, hid_t type, hid_t space);

  std::string shown_;
  Hdf5Handle file_;
  Hdf5Handle links_;    // creates the groups on the way to a name
  Hdf5Handle dataset_;  // contiguous, allocated at once, never filled with zeros first
};

Writer::Writer(const std::string& file_path, const std::string& shown)
    : shown_(shown),
      links_(H5Pcreate(H5P_LINK_CREATE), H5Pclose, shown),
      dataset_(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, shown) {
  quiet_hdf5();
  H5Pset_create_intermediate_group(links_.id(), 1);
  H5Pset_char_encoding(links_.id(), H5T_CSET_UTF8);
  H5Pset_layout(dataset_.id(), H5D_CONTIGUOUS);
  H5Pset_alloc_time(dataset_.id(), H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(dataset_.id(), H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(dataset_.id(), false);  // equal contents, equal bytes
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, shown);
  H5Pset_alignment(access.id(), kAlignment, kAlignment);
  H5Pset_file_locking(access.id(), false, true);
  H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG);
  file_ = Hdf5Handle(H5Fcreate(file_path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()),
                     H5Fclose, shown);
  write_attribute(file_.id(), "format", std::string("tpinfer"));
  write_attribute(file_.id(), "format_version", std::int64_t{1});
}

Hdf5Handle Writer::create(const std::string& path, hid_t type, hid_t space) {
  return Hdf5Handle(
      H5Dcreate2(file_.id(), path.c_str(), type, space, links_.id(), dataset_.id(), H5P_DEFAULT),
      H5Dclose, path);
}

std::string Writer::write_tensor(const std::string& path, const TensorSource& source,
                                 bool tolerances) {
  check_name(path, source.name);
  const std::size_t bytes = byte_count(source.shape, source.dtype);
  std::vector<unsigned char> data(bytes);
  if (bytes > 0) source.fill(data.data());
  const Hdf5Handle type = hdf5_type(source.dtype);
  std::vector<hsize_t> extents(source.shape.begin(), source.shape.end());
  const Hdf5Handle space(
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
      H5Sclose, path);
  const Hdf5Handle dataset = create(path, type.id(), space.id());
  if (bytes > 0) {
    wrote(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()), shown_);
  }
  beat();
  if (source.dtype == DType::bf16) write_attribute(dataset.id(), "dtype", std::string("bf16"));
  if (tolerances) {
    write_attribute(dataset.id(), "rtol", source.rtol);
    write_attribute(dataset.id(), "atol", source.atol);
  }
  return sha256_hex(data.data(), data.size());
}

void Writer::write_text(const std::string& path, const std::string& text, std::int64_t index) {
  const Hdf5Handle type = text_type(text.size());
  const Hdf5Handle space = scalar_space();
  const Hdf5Handle dataset = create(path, type.id(), space.id());
  wrote(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()), shown_);
  if (index >= 0) write_attribute(dataset.id(), "index", index);
}

void Writer::write_example(std::size_t index, const ExampleSource& example) {
  const std::string base = fmt::format("/examples/{}", index);
  for (const TensorSource& input : example.inputs) {
    write_tensor(base + "/inputs/" + input.name, input, false);
  }
  for (const TensorSource& output : example.outputs) {
    write_tensor(base + "/outputs/" + output.name, output, true);
  }
  if (!example.graph.empty()) {
    const Hdf5Handle group(H5Gopen2(file_.id(), base.c_str(), H5P_DEFAULT), H5Gclose, base);
    write_attribute(group.id(), "graph", example.graph);
  }
}

void Writer::close() {
  wrote(H5Fflush(file_.id(), H5F_SCOPE_LOCAL), shown_);
  wrote(file_.reset(), shown_);
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

TensorSource tensor_of(const std::string& name, Shape shape, std::vector<float> values) {
  return source_of(name, std::move(shape), std::move(values), DType::f32);
}

TensorSource tensor_of(const std::string& name, Shape shape, std::vector<std::int64_t> values) {
  return source_of(name, std::move(shape), std::move(values), DType::i64);
}

void write_model(const std::string& path, const ModelContents& contents) {
  const std::string shown = printable(path);
  OutputFile file(path, OutputFile::Naming::named);
  Writer writer(file.working_path(), shown);
  nlohmann::json hashes = nlohmann::json::object();
  for (const TensorSource& weight : contents.weights) {
    hashes[weight.name] = writer.write_tensor("/weights/" + weight.name, weight, false);
  }
  for (std::size_t i = 0; i < contents.graphs.size(); ++i) {
    const GraphInfo& graph = contents.graphs[i];
    writer.write_text("/graphs/" + graph.name, graph.json, static_cast<std::int64_t>(i));
  }
  for (std::size_t i = 0; i < contents.examples.size(); ++i) {
    writer.write_example(i, contents.examples[i]);
  }
  writer.write_text("/manifest", nlohmann::json{{"weights", hashes}}.dump(), -1);
  writer.close();
  file.commit();
}

}  // namespace tpinfer::shard
