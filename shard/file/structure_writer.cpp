#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/structure_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/file/element_type.hpp"

namespace tpinfer::shard {
namespace {

constexpr hsize_t kAlignment = 4096;  // a page: a shard can be mapped

Hdf5Handle text_type(std::size_t bytes) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "string type");
  H5Tset_size(type.id(), std::max<std::size_t>(1, bytes));
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  return type;
}

Hdf5Handle space_of(const Shape& shape, const std::string& where) {
  if (shape.empty()) return Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose, where);
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return Hdf5Handle(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                    H5Sclose, where);
}

// A dataspace with one block selected.
Hdf5Handle selection(const Shape& shape, const Box& box, const std::string& where) {
  Hdf5Handle space = space_of(shape, where);
  const std::vector<hsize_t> start(box.offset.begin(), box.offset.end());
  const std::vector<hsize_t> count(box.extent.begin(), box.extent.end());
  H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  return space;
}

}  // namespace

StructureWriter::StructureWriter(const std::string& file_path, const std::string& shown, Mode mode)
    : shown_(shown), links_(H5Pcreate(H5P_LINK_CREATE), H5Pclose, shown) {
  quiet_hdf5();
  H5Pset_create_intermediate_group(links_.id(), 1);
  H5Pset_char_encoding(links_.id(), H5T_CSET_UTF8);
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, shown);
  H5Pset_fapl_sec2(access.id());
  H5Pset_alignment(access.id(), kAlignment, kAlignment);
  H5Pset_file_locking(access.id(), false, true);
  H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG);
  file_ = Hdf5Handle(mode == Mode::create
                         ? H5Fcreate(file_path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id())
                         : H5Fopen(file_path.c_str(), H5F_ACC_RDWR, access.id()),
                     H5Fclose, shown);
  if (mode == Mode::extend) return;
  set("/", "format", std::string("tpinfer"));
  set("/", "format_version", std::int64_t{1});
}

void StructureWriter::wrote(int result, const std::string& where) const {
  if (result >= 0) return;
  fail(Fault::io, fmt::format("{}: {}: writing failed{}", shown_, where, hdf5_reason()));
}

Hdf5Handle StructureWriter::creation_list() const {
  Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, shown_);
  H5Pset_obj_track_times(creation.id(), false);
  H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER);
  return creation;
}

Hdf5Handle StructureWriter::create(const std::string& path, DType dtype, const Shape& shape,
                                   Hdf5Id creation) {
  const Hdf5Handle type = hdf5_type(dtype), space = space_of(shape, path);
  return Hdf5Handle(H5Dcreate2(file_.id(), path.c_str(), type.id(), space.id(), links_.id(),
                               creation, H5P_DEFAULT),
                    H5Dclose, path);
}

std::uint64_t StructureWriter::add_tensor(const std::string& path, DType dtype,
                                          const Shape& shape) {
  haddr_t offset = 0;
  {
    const Hdf5Handle creation = creation_list();
    H5Pset_layout(creation.id(), H5D_CONTIGUOUS);
    H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY);
    const Hdf5Handle dataset = create(path, dtype, shape, creation.id());
    if (element_count(shape) > 0) offset = H5Dget_offset(dataset.id());
    if (offset == HADDR_UNDEF) fail(Fault::io, path + ": HDF5 gave it no space");
  }
  if (dtype == DType::bf16) set(path, "dtype", std::string("bf16"));
  return offset;
}

void StructureWriter::add_tensor(const std::string& path, DType dtype, const Shape& shape,
                                 const void* elements) {
  add_tensor(path, dtype, shape);
  if (element_count(shape) == 0) return;
  const Hdf5Handle dataset(H5Dopen2(file_.id(), path.c_str(), H5P_DEFAULT), H5Dclose, path);
  const Hdf5Handle type = hdf5_type(dtype);
  wrote(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, elements), path);
  beat();
}

void StructureWriter::add_virtual(const VirtualTensor& tensor) {
  const Hdf5Handle creation = creation_list();
  H5Pset_layout(creation.id(), H5D_VIRTUAL);
  for (const Mapping& mapping : tensor.mappings) {
    const Hdf5Handle to = selection(tensor.shape, mapping.box, tensor.path);
    // The source's whole shape is not known here; its end is enough.
    Shape source = mapping.at;
    for (std::size_t d = 0; d < source.size(); ++d) source[d] += mapping.box.extent[d];
    const Hdf5Handle from = selection(source, {mapping.at, mapping.box.extent}, tensor.path);
    wrote(H5Pset_virtual(creation.id(), to.id(), mapping.file.c_str(), mapping.dataset.c_str(),
                         from.id()),
          tensor.path);
  }
  { const Hdf5Handle dataset = create(tensor.path, tensor.stored, tensor.shape, creation.id()); }
  if (tensor.stored == DType::bf16) set(tensor.path, "dtype", std::string("bf16"));
}

void StructureWriter::add_text(const std::string& path, const std::string& text) {
  const Hdf5Handle type = text_type(text.size()), space = space_of({}, path);
  const Hdf5Handle creation = creation_list();
  const Hdf5Handle dataset(H5Dcreate2(file_.id(), path.c_str(), type.id(), space.id(), links_.id(),
                                      creation.id(), H5P_DEFAULT),
                           H5Dclose, path);
  wrote(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()), path);
}

void StructureWriter::set(const std::string& path, const std::string& name, Hdf5Id type,
                          Hdf5Id space, Hdf5Id memory_type, const void* value) {
  const Hdf5Handle object(H5Oopen(file_.id(), path.c_str(), H5P_DEFAULT), H5Oclose, path);
  const Hdf5Handle attribute(
      H5Acreate2(object.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, name);
  // A list without elements (of a scalar) may have no address, which HDF5 refuses.
  const std::int64_t nothing = 0;
  wrote(H5Awrite(attribute.id(), memory_type, value ? value : &nothing), path + " " + name);
}

void StructureWriter::set(const std::string& path, const std::string& name,
                          const std::string& text) {
  const Hdf5Handle type = text_type(text.size()), space = space_of({}, path);
  set(path, name, type.id(), space.id(), type.id(), text.data());
}

void StructureWriter::set(const std::string& path, const std::string& name, std::int64_t value) {
  const Hdf5Handle space = space_of({}, path);
  set(path, name, H5T_STD_I64LE, space.id(), H5T_NATIVE_INT64, &value);
}

void StructureWriter::set(const std::string& path, const std::string& name, double value) {
  const Hdf5Handle space = space_of({}, path);
  set(path, name, H5T_IEEE_F64LE, space.id(), H5T_NATIVE_DOUBLE, &value);
}

void StructureWriter::set(const std::string& path, const std::string& name,
                          const std::vector<std::int64_t>& values) {
  const Hdf5Handle space = space_of({static_cast<std::int64_t>(values.size())}, path);
  set(path, name, H5T_STD_I64LE, space.id(), H5T_NATIVE_INT64, values.data());
}

void StructureWriter::set(const std::string& path, const std::string& name,
                          const std::vector<std::string>& texts) {
  std::size_t longest = 1;
  for (const std::string& text : texts) longest = std::max(longest, text.size());
  std::string all;
  for (std::string text : texts) {
    text.resize(longest, '\0');
    all += text;
  }
  const Hdf5Handle type = text_type(longest);
  const Hdf5Handle space = space_of({static_cast<std::int64_t>(texts.size())}, path);
  set(path, name, type.id(), space.id(), type.id(), all.data());
}

void StructureWriter::close() {
  wrote(H5Fflush(file_.id(), H5F_SCOPE_LOCAL), "its structure");
  wrote(file_.reset(), "its structure");
}

}  // namespace tpinfer::shard
