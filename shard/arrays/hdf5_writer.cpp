#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/arrays/placed_writer.hpp"
#include "shard/arrays/temporary_registry.hpp"
#include "shard/file/element_type.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {
namespace {

struct Span {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

Hdf5Handle space_of(const Shape& shape, const std::string& name) {
  if (shape.empty()) return Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose, name);
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return Hdf5Handle(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                    H5Sclose, name);
}

// Makes a dataset whose space is taken but not filled, and returns where that space begins.
std::uint64_t create_dataset(const Hdf5Handle& file, const ArraySpec& array) {
  const Hdf5Handle space = space_of(array.shape, array.name);
  const Hdf5Handle type = hdf5_type(array.dtype);
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, array.name);
  H5Pset_layout(creation.id(), H5D_CONTIGUOUS);
  H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY);
  H5Pset_obj_track_times(creation.id(), false);  // equal arrays, equal files
  H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER);
  const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose, array.name);
  H5Pset_create_intermediate_group(links.id(), 1);
  H5Pset_char_encoding(links.id(), H5T_CSET_UTF8);
  const Hdf5Handle dataset(H5Dcreate2(file.id(), array.name.c_str(), type.id(), space.id(),
                                      links.id(), creation.id(), H5P_DEFAULT),
                           H5Dclose, array.name);
  const haddr_t offset = H5Dget_offset(dataset.id());
  if (byte_count(array.shape, array.dtype) == 0) return 0;
  if (offset == HADDR_UNDEF) fail(Fault::io, array.name + ": HDF5 gave it no space");
  return offset;
}

// A file that HDF5 fills by name; it lives for the milliseconds that this takes.
class StructureFile {
 public:
  explicit StructureFile(const std::string& target)
      : path_(fmt::format("{}.tmp.{}.structure", target, ::getpid())) {
    ::unlink(path_.c_str());  // of an earlier process with this number
    registered_ = register_temporary(path_);
  }
  ~StructureFile() {
    ::unlink(path_.c_str());
    forget_temporary(registered_);
  }
  StructureFile(const StructureFile&) = delete;
  StructureFile& operator=(const StructureFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int registered_ = -1;
};

// HDF5 1.10 crashes when the process ends after it could not write a file: meet a full disk first.
void check_room(const std::string& target, std::uint64_t all_bytes, std::size_t arrays) {
  const std::string structure((std::size_t{64} << 10) + (arrays << 10), '\0');
  OutputFile probe(target);  // never committed
  probe.write_at(0, structure.data(), structure.size());
  probe.write_at(structure.size() + all_bytes, "", 1);
}

std::vector<Span> create_structure(const std::string& path, const std::vector<ArraySpec>& arrays) {
  quiet_hdf5();
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "HDF5 access properties");
  H5Pset_fapl_sec2(access.id());
  H5Pset_file_locking(access.id(), false, true);
  Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.id()), H5Fclose,
                  "its structure");
  std::vector<Span> elements;
  for (const ArraySpec& array : arrays) {
    elements.push_back({create_dataset(file, array), byte_count(array.shape, array.dtype)});
  }
  if (file.reset() < 0) fail(Fault::io, "writing its structure failed" + hdf5_reason());
  return elements;
}

// Copies what is not elements: a few KiB before, between and after them.
void copy_structure(const std::string& path, std::vector<Span> elements, OutputFile& out) {
  const RawFile structure(path);
  std::sort(elements.begin(), elements.end(),
            [](const Span& a, const Span& b) { return a.offset < b.offset; });
  elements.push_back({structure.state().bytes, 0});
  std::uint64_t done = 0;
  for (const Span& span : elements) {
    std::string gap(span.offset > done ? span.offset - done : 0, '\0');
    structure.read(done, gap.data(), gap.size());
    out.write_structure(done, gap.data(), gap.size());
    done = std::max(done, span.offset + span.bytes);
  }
}

}  // namespace

// HDF5 only makes the structure; the elements follow by plain writes. So a full disk is met by us
// and not inside HDF5, which cannot close a file that it failed to flush; and the output itself
// needs no name while it is written, which HDF5 could not do without.
std::unique_ptr<PlacedWriter> hdf5_writer(std::unique_ptr<OutputFile> file,
                                          std::vector<ArraySpec> arrays) {
  std::uint64_t all_bytes = 0;
  for (const ArraySpec& array : arrays) all_bytes += byte_count(array.shape, array.dtype);
  file->reserve(all_bytes);
  check_room(file->target(), file->was_there() ? 0 : all_bytes, arrays.size());
  const StructureFile structure(file->target());
  std::vector<Span> elements;
  try {
    elements = create_structure(structure.path(), arrays);
  } catch (const Error& error) {
    // The shared HDF5 layer speaks of bad input; here there is none.
    fail(Fault::io, fmt::format("{}: {}", file->target(), error.what()));
  }
  copy_structure(structure.path(), elements, *file);
  std::vector<std::uint64_t> offsets;
  for (const Span& span : elements) offsets.push_back(span.offset);
  return std::make_unique<PlacedWriter>(std::move(file), std::move(arrays), std::move(offsets));
}

}  // namespace tpinfer::shard
