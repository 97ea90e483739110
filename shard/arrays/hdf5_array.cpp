#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/arrays/hdf5_array.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/arrays/choose_name.hpp"
#include "shard/arrays/dense_reader.hpp"
#include "shard/file/dataset_check.hpp"
#include "shard/file/element_type.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxLinks = 10'000;
constexpr std::size_t kMaxCacheBytes = std::size_t{64} << 20;

class Hdf5Array : public ArrayReader {
 public:
  Hdf5Array(std::string name, Hdf5Handle file, const DatasetInfo& info, Hdf5Handle dataset)
      : name_(std::move(name)),
        file_(std::move(file)),
        dataset_(std::move(dataset)),
        type_(hdf5_type(info.stored)),
        file_space_(H5Dget_space(dataset_.id()), H5Sclose, name_) {
    dtype = info.stored;
    shape = info.shape;
  }

  void read_rows(Range range, void* out) override {
    check_rows(*this, name_, range);
    Box box = whole_box(shape);
    if (!shape.empty()) {
      box.offset[0] = range.begin;
      box.extent[0] = range.size();
    }
    if (range.size() == 0 || box.empty()) return;
    read_box(box, static_cast<char*>(out));
    if (dtype == DType::boolean) normalise_booleans(out, byte_count(box.extent, dtype));
  }

 private:
  // Halves the box along its first dimension of more than one, so that both halves are dense in
  // `out`, until it is at most one slab.
  void read_box(const Box& box, char* out) {
    if (byte_count(box.extent, dtype) <= kSlabBytes) {
      read_slab(box, out);
      return;
    }
    const auto wide = std::find_if(box.extent.begin(), box.extent.end(),
                                   [](std::int64_t extent) { return extent > 1; });
    const auto d = static_cast<std::size_t>(wide - box.extent.begin());
    Box half = box;
    half.extent[d] = box.extent[d] / 2;
    read_box(half, out);
    const std::size_t done = byte_count(half.extent, dtype);
    half.offset[d] += half.extent[d];
    half.extent[d] = box.extent[d] - half.extent[d];
    read_box(half, out + done);
  }

  void read_slab(const Box& box, char* out) {
    hid_t memory = H5S_ALL;
    hid_t selection = H5S_ALL;
    Hdf5Handle memory_space;
    if (!shape.empty()) {
      const std::vector<hsize_t> offset(box.offset.begin(), box.offset.end());
      const std::vector<hsize_t> extent(box.extent.begin(), box.extent.end());
      memory_space =
          Hdf5Handle(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                     H5Sclose, name_);
      H5Sselect_hyperslab(file_space_.id(), H5S_SELECT_SET, offset.data(), nullptr, extent.data(),
                          nullptr);
      memory = memory_space.id();
      selection = file_space_.id();
    }
    if (H5Dread(dataset_.id(), type_.id(), memory, selection, H5P_DEFAULT, out) < 0) {
      fail(Fault::data,
           fmt::format("{}: cannot be read at {}{}", name_, to_text(box), hdf5_reason()));
    }
    beat();
  }

  std::string name_;
  Hdf5Handle file_;
  Hdf5Handle dataset_;
  Hdf5Handle type_;
  Hdf5Handle file_space_;
};

Hdf5Handle open_link(const Hdf5Handle& parent, const std::string& link, const std::string& name) {
  H5L_info_t info;
  if (H5Lget_info(parent.id(), link.c_str(), &info, H5P_DEFAULT) < 0) {
    fail(Fault::data, fmt::format("{}: there is no '{}'", name, printable(link)));
  }
  if (info.type != H5L_TYPE_HARD) {
    fail(Fault::data, fmt::format("{}: '{}' is a soft or external link; links are not followed",
                                  name, printable(link)));
  }
  return open_member(parent.id(), link, name);
}

// Walks one link at a time: a path given to HDF5 as a whole would follow links to other files.
Hdf5Handle open_path(const Hdf5Handle& file, const std::string& path, const std::string& name) {
  Hdf5Handle object = open_member(file.id(), "/", name);
  std::size_t depth = 0;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) {
      if (++depth > kMaxDepth) {
        fail(Fault::data, fmt::format("{}: deeper than {} groups", name, kMaxDepth));
      }
      if (kind_of(object.id(), name) != Hdf5Kind::group) {
        fail(Fault::data,
             fmt::format("{}: '{}' is not a group", name, printable(path.substr(0, begin - 1))));
      }
      object = open_link(object, path.substr(begin, end - begin), name);
    }
    begin = end + 1;
  }
  if (kind_of(object.id(), name) != Hdf5Kind::dataset) {
    fail(Fault::data, name + ": is a group, not a dataset");
  }
  return object;
}

std::vector<std::string> datasets_of_root(const Hdf5Handle& file, const std::string& path) {
  const Hdf5Handle root = open_member(file.id(), "/", path);
  std::vector<std::string> names = members_of(root.id(), path, kMaxLinks);
  std::erase_if(names, [&](const std::string& member) {
    const Hdf5Handle object = open_member(root.id(), member, path);
    return kind_of(object.id(), path) != Hdf5Kind::dataset;
  });
  return names;
}

// Opens a dataset again with room for the chunks that one row touches, so that a walk along
// dimension 0 decompresses each of them once.
Hdf5Handle with_chunk_cache(const Hdf5Handle& file, Hdf5Handle dataset, const std::string& path,
                            const DatasetInfo& info) {
  const Hdf5Handle creation(H5Dget_create_plist(dataset.id()), H5Pclose, path);
  if (H5Pget_layout(creation.id()) != H5D_CHUNKED) return dataset;
  std::vector<hsize_t> chunk(info.shape.size());
  H5Pget_chunk(creation.id(), static_cast<int>(chunk.size()), chunk.data());
  std::size_t bytes = size_of(info.stored) * chunk[0];
  for (std::size_t d = 1; d < chunk.size(); ++d) {
    const auto extent = static_cast<hsize_t>(info.shape[d]);
    const hsize_t chunks = extent / chunk[d] + (extent % chunk[d] != 0 ? 1 : 0);
    if (__builtin_mul_overflow(bytes, chunks * chunk[d], &bytes)) bytes = kMaxCacheBytes;
  }
  const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, path);
  H5Pset_chunk_cache(access.id(), H5D_CHUNK_CACHE_NSLOTS_DEFAULT, std::min(bytes, kMaxCacheBytes),
                     H5D_CHUNK_CACHE_W0_DEFAULT);
  // The cache belongs to the first handle that is opened.
  dataset.reset();
  return Hdf5Handle(H5Dopen2(file.id(), path.c_str(), access.id()), H5Dclose, path);
}

}  // namespace

std::unique_ptr<ArrayReader> open_hdf5_array(const std::string& path, std::uint64_t file_bytes,
                                             const std::string& dataset,
                                             const std::string& preferred_name) {
  Hdf5Handle file = open_hdf5(path, path);
  std::string inside = dataset;
  if (inside.empty()) {
    const auto names = datasets_of_root(file, path);
    inside = names[choose_name(path, names, "", preferred_name)];
  }
  inside.erase(0, std::min(inside.find_first_not_of('/'), inside.size()));
  const std::string name = fmt::format("{}:/{}", path, printable(inside));
  Hdf5Handle object = open_path(file, inside, name);
  Limits limits;
  limits.rank = H5S_MAX_RANK;
  const DatasetInfo info = examine_dataset(object.id(), name, file_bytes, limits);
  object = with_chunk_cache(file, std::move(object), inside, info);
  return std::make_unique<Hdf5Array>(name, std::move(file), info, std::move(object));
}

}  // namespace tpinfer::shard
