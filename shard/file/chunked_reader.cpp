#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/chunked_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/file/element_type.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kMaxCacheBytes = std::size_t{256} << 20;

// Room for every chunk that a row of the dataset crosses: with less, neighbouring slabs would
// decode the same chunks again.
std::size_t cache_bytes(hid_t dataset, const DatasetInfo& info) {
  const Hdf5Handle creation(H5Dget_create_plist(dataset), H5Pclose, info.path);
  if (H5Pget_layout(creation.id()) != H5D_CHUNKED) return 1 << 20;
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = static_cast<int>(info.shape.size());
  H5Pget_chunk(creation.id(), rank, chunk.data());
  std::size_t bytes = chunk[0] * size_of(info.stored);
  for (int d = 1; d < rank && bytes < kMaxCacheBytes; ++d) {
    const hsize_t extent = static_cast<hsize_t>(info.shape[d]);
    bytes *= (extent + chunk[d] - 1) / chunk[d] * chunk[d];
  }
  return std::clamp(bytes, std::size_t{1} << 20, kMaxCacheBytes);
}

Hdf5Handle open_dataset(hid_t file, const DatasetInfo& info) {
  const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, info.path);
  {
    const Hdf5Handle first(H5Dopen2(file, info.path.c_str(), H5P_DEFAULT), H5Dclose, info.path);
    H5Pset_chunk_cache(access.id(), 12421, cache_bytes(first.id(), info), 1.0);
  }
  return Hdf5Handle(H5Dopen2(file, info.path.c_str(), access.id()), H5Dclose, info.path);
}

// The table was made by another process: the dataset must still be what it says.
void check_same(hid_t dataset, hid_t space, const DatasetInfo& info) {
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  bool same = H5Sget_simple_extent_ndims(space) == static_cast<int>(info.shape.size()) &&
              element_type(dataset, info.path) == info.stored;
  if (same && !info.shape.empty()) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  for (std::size_t d = 0; same && d < info.shape.size(); ++d) {
    same = extents[d] == static_cast<hsize_t>(info.shape[d]);
  }
  if (!same) fail(Fault::data, info.path + ": changed while loading");
}

void read_slab(hid_t dataset, hid_t space, hid_t type, const DatasetInfo& info, const Box& slab,
               void* out) {
  const int rank = static_cast<int>(slab.extent.size());
  std::array<hsize_t, H5S_MAX_RANK> start{}, count{};
  for (int d = 0; d < rank; ++d) {
    start[d] = static_cast<hsize_t>(slab.offset[d]);
    count[d] = static_cast<hsize_t>(slab.extent[d]);
  }
  const Hdf5Handle memory(
      rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, count.data(), nullptr), H5Sclose,
      info.path);
  if (rank > 0) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  }
  if (H5Dread(dataset, type, memory.id(), space, H5P_DEFAULT, out) < 0) {
    fail(Fault::data,
         fmt::format("{}: damaged: {} cannot be read{}", info.path, to_text(slab), hdf5_reason()));
  }
}

}  // namespace

ChunkedReader::ChunkedReader(const RawFile& raw)
    : file_(open_hdf5(fmt::format("/proc/self/fd/{}", raw.descriptor()), printable(raw.path()))) {}

void ChunkedReader::release() {
  dataset_.reset();
  open_path_.clear();
}

void ChunkedReader::read(const DatasetInfo& info, const Box& box, void* out) {
  if (open_path_ != info.path) {
    release();
    dataset_ = open_dataset(file_.id(), info);
    open_path_ = info.path;
  }
  const Hdf5Handle space(H5Dget_space(dataset_.id()), H5Sclose, info.path);
  check_same(dataset_.id(), space.id(), info);
  const Hdf5Handle type = hdf5_type(info.stored);
  read_slab(dataset_.id(), space.id(), type.id(), info, box, out);
  beat();
}

}  // namespace tpinfer::shard
