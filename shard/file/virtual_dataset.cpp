#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/virtual_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "kernels/base/error.hpp"
#include "shard/file/element_type.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using GetName = ssize_t (*)(hid_t, std::size_t, char*, std::size_t);

std::string mapping_name(hid_t creation, std::size_t index, GetName get, const std::string& where) {
  const ssize_t length = get(creation, index, nullptr, 0);
  if (length < 0 || length > static_cast<ssize_t>(8 * kMaxNameBytes)) {
    fail(Fault::data, where + ": a name in its mappings is damaged or too long");
  }
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  if (get(creation, index, name.data(), name.size()) < 0) {
    fail(Fault::data, fmt::format("{}: damaged mapping{}", where, hdf5_reason()));
  }
  name.resize(static_cast<std::size_t>(length));
  return name;
}

// The one block that is selected; empty when everything is.
std::optional<Box> block_of(hid_t space, const std::string& where) {
  const H5S_sel_type kind = H5Sget_select_type(space);
  if (kind == H5S_SEL_ALL) return std::nullopt;
  const int rank = H5Sget_simple_extent_ndims(space);
  std::array<hsize_t, H5S_MAX_RANK> begin{}, last{};
  std::array<hsize_t, H5S_MAX_RANK> start{}, stride{}, count{}, block{};
  const bool regular =
      kind == H5S_SEL_HYPERSLABS && rank >= 0 && H5Sis_regular_hyperslab(space) > 0 &&
      H5Sget_regular_hyperslab(space, start.data(), stride.data(), count.data(), block.data()) >= 0;
  bool bounded = regular;
  for (int d = 0; bounded && d < rank; ++d) {
    bounded = count[d] != H5S_UNLIMITED && block[d] != H5S_UNLIMITED;
  }
  if (!bounded || H5Sget_select_bounds(space, begin.data(), last.data()) < 0) {
    H5Eclear2(H5E_DEFAULT);
    fail(Fault::data, where + ": a mapping selects something else than one block");
  }
  Box box;
  hsize_t elements = 1;
  for (int d = 0; d < rank; ++d) {
    if (last[d] >= static_cast<hsize_t>(INT64_MAX)) {
      fail(Fault::data, where + ": a mapping leaves the limits of a tensor");
    }
    box.offset.push_back(static_cast<std::int64_t>(begin[d]));
    box.extent.push_back(static_cast<std::int64_t>(last[d] - begin[d] + 1));
    elements *= last[d] - begin[d] + 1;
  }
  if (H5Sget_select_npoints(space) != static_cast<hssize_t>(elements)) {
    fail(Fault::data, where + ": a mapping selects something else than one block");
  }
  return box;
}

void check_file_name(const std::string& name, const std::string& where) {
  check_name(where, name);
  if (name.find('/') == std::string::npos && name != "." && name != "..") return;
  fail(Fault::data, fmt::format("{}: a mapping names the file {}; only files of its own folder are "
                                "allowed",
                                where, printable(name)));
}

Mapping read_mapping(hid_t creation, std::size_t index, const std::string& where) {
  Mapping mapping;
  mapping.file = mapping_name(creation, index, H5Pget_virtual_filename, where);
  check_file_name(mapping.file, where);
  mapping.dataset = mapping_name(creation, index, H5Pget_virtual_dsetname, where);
  check_name(where, mapping.dataset);
  if (!mapping.dataset.starts_with('/')) mapping.dataset = std::string("/").append(mapping.dataset);
  const Hdf5Handle to(H5Pget_virtual_vspace(creation, index), H5Sclose, where);
  const Hdf5Handle from(H5Pget_virtual_srcspace(creation, index), H5Sclose, where);
  const std::optional<Box> box = block_of(to.id(), where), source = block_of(from.id(), where);
  // Shapes of whole selections are filled in by the caller, who knows the tensor's.
  if (box) mapping.box = *box;
  if (source) {
    mapping.at = source->offset;
    if (box && source->extent != box->extent) {
      fail(Fault::data,
           fmt::format("{}: a mapping puts {} elements of {} at {}", where, to_text(source->extent),
                       printable(mapping.file), to_text(*box)));
    }
  }
  return mapping;
}

Shape shape_of(hid_t dataset, const std::string& where, const Limits& limits) {
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, where);
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (rank < 1 || rank > limits.rank) {
    fail(Fault::data, fmt::format("{}: a virtual dataset of {} dimensions", where, rank));
  }
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  Shape shape;
  for (int d = 0; d < rank; ++d) {
    if (extents[d] > static_cast<hsize_t>(INT64_MAX)) {
      fail(Fault::data, fmt::format("{}: shape overflows: extent {}", where, extents[d]));
    }
    shape.push_back(static_cast<std::int64_t>(extents[d]));
  }
  return shape;
}

}  // namespace

bool is_virtual(Hdf5Id dataset, const std::string& where) {
  const Hdf5Handle creation(H5Dget_create_plist(dataset), H5Pclose, where);
  return H5Pget_layout(creation.id()) == H5D_VIRTUAL;
}

VirtualTensor read_virtual(Hdf5Id dataset, const std::string& path, const std::string& name,
                           const Limits& limits) {
  VirtualTensor tensor;
  tensor.name = name;
  tensor.path = path;
  const Hdf5Handle creation(H5Dget_create_plist(dataset), H5Pclose, path);
  std::size_t count = 0;
  if (H5Pget_virtual_count(creation.id(), &count) < 0 || count > limits.objects) {
    fail(Fault::data,
         fmt::format("{}: {} mappings, more than the limit of {}", path, count, limits.objects));
  }
  // Before anything asks for the shape: that of an unlimited mapping would open the other files.
  for (std::size_t i = 0; i < count; ++i) {
    tensor.mappings.push_back(read_mapping(creation.id(), i, path));
  }
  tensor.stored = element_type(dataset, path);
  tensor.shape = shape_of(dataset, path, limits);
  try {
    byte_count(tensor.shape, tensor.stored);
  } catch (const Error& error) {
    fail_in(path, error);
  }
  for (Mapping& mapping : tensor.mappings) {
    if (mapping.box.extent.empty()) mapping.box = whole_box(tensor.shape);
    if (mapping.at.empty()) mapping.at.assign(tensor.shape.size(), 0);
    if (mapping.box.extent.size() != tensor.shape.size() ||
        mapping.at.size() != tensor.shape.size() ||
        !contains(whole_box(tensor.shape), mapping.box)) {
      fail(Fault::data,
           fmt::format("{}: {} of {} lies outside its shape {}", path, to_text(mapping.box),
                       printable(mapping.file), to_text(tensor.shape)));
    }
  }
  return tensor;
}

}  // namespace tpinfer::shard
