#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/dataset_check.hpp"

#include <fmt/format.h>

#include <array>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/file/element_type.hpp"

namespace tpinfer::shard {
namespace {

Hdf5Handle creation_of(hid_t dataset, const std::string& where) {
  return Hdf5Handle(H5Dget_create_plist(dataset), H5Pclose, where);
}

void check_filters(hid_t creation, const std::string& where) {
  std::set<H5Z_filter_t> seen;
  const int count = H5Pget_nfilters(creation);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values,
                                               nullptr, 0, nullptr, &config);
    const bool known = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
                       filter == H5Z_FILTER_FLETCHER32;
    if (!known) {
      fail(Fault::data, fmt::format("{}: filter {} is not allowed; deflate (1), shuffle (2) and "
                                    "fletcher32 (3) are",
                                    where, static_cast<int>(filter)));
    }
    if (!seen.insert(filter).second) {
      fail(Fault::data,
           fmt::format("{}: filter {} is applied twice", where, static_cast<int>(filter)));
    }
    if (H5Zfilter_avail(filter) <= 0) {
      fail(Fault::config, fmt::format("{}: this HDF5 library was built without filter {}", where,
                                      static_cast<int>(filter)));
    }
  }
}

Shape shape_of(hid_t dataset, const std::string& where, const Limits& limits) {
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, where);
  const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
  if (kind != H5S_SCALAR && kind != H5S_SIMPLE) {
    fail(Fault::data, where + ": has no shape (a null dataspace)");
  }
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (rank < 0 || rank > limits.rank) {
    fail(Fault::data,
         fmt::format("{}: {} dimensions, more than the limit of {}", where, rank, limits.rank));
  }
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  if (rank > 0) H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  Shape shape;
  for (int d = 0; d < rank; ++d) {
    if (extents[d] > static_cast<hsize_t>(INT64_MAX)) {
      fail(Fault::data, fmt::format("{}: shape overflows: extent {}", where, extents[d]));
    }
    shape.push_back(static_cast<std::int64_t>(extents[d]));
  }
  return shape;
}

void check_contiguous(hid_t dataset, DatasetInfo& info, std::uint64_t bytes,
                      std::uint64_t file_bytes, const Limits& limits) {
  if (bytes == 0) return;
  if (bytes > file_bytes && !limits.allow_unallocated) {
    fail(Fault::data, fmt::format("{}: shape {} needs {} bytes, the file has {}", info.path,
                                  to_text(info.shape), bytes, file_bytes));
  }
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF) {
    H5Eclear2(H5E_DEFAULT);
    if (limits.allow_unallocated) return;
    fail(Fault::data, info.path + ": was never written: the file holds no data for it");
  }
  if (bytes > file_bytes || offset > file_bytes - bytes) {
    fail(Fault::data, fmt::format("{}: needs {} bytes at byte {}, the file has {}", info.path,
                                  bytes, offset, file_bytes));
  }
  if (H5Dget_storage_size(dataset) != bytes) {
    fail(Fault::data, fmt::format("{}: needs {} bytes, the file stores {} for it", info.path, bytes,
                                  H5Dget_storage_size(dataset)));
  }
  info.offset = offset;
  info.stored_bytes = bytes;
}

// Chunks of the whole grid, after checking that none is missing.
void check_chunks(hid_t dataset, hid_t creation, const DatasetInfo& info, const Limits& limits) {
  const int rank = static_cast<int>(info.shape.size());
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  if (H5Pget_chunk(creation, rank, chunk.data()) != rank) {
    fail(Fault::data, fmt::format("{}: damaged chunk shape{}", info.path, hdf5_reason()));
  }
  Shape chunk_shape;
  std::uint64_t wanted = 1;
  for (int d = 0; d < rank; ++d) {
    if (chunk[d] == 0 || chunk[d] > limits.chunk_bytes) {
      fail(Fault::data, fmt::format("{}: a chunk extent of {}", info.path, chunk[d]));
    }
    chunk_shape.push_back(static_cast<std::int64_t>(chunk[d]));
    const std::uint64_t extent = static_cast<std::uint64_t>(info.shape[d]);
    wanted *= extent / chunk[d] + (extent % chunk[d] != 0 ? 1 : 0);
    if (wanted > limits.chunks) {
      fail(Fault::data,
           fmt::format("{}: more chunks than the limit of {}", info.path, limits.chunks));
    }
  }
  if (byte_count(chunk_shape, info.stored) > limits.chunk_bytes) {
    fail(Fault::data, fmt::format("{}: chunks of {} are larger than the limit of {} bytes",
                                  info.path, to_text(chunk_shape), limits.chunk_bytes));
  }
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, info.path);
  hsize_t present = 0;
  if (H5Dget_num_chunks(dataset, space.id(), &present) < 0) {
    fail(Fault::data, fmt::format("{}: damaged chunk index{}", info.path, hdf5_reason()));
  }
  if (present < wanted && !limits.allow_unallocated) {
    fail(Fault::data,
         fmt::format("{}: only {} of its {} chunks were ever written", info.path, present, wanted));
  }
}

void check_inflation(hid_t dataset, DatasetInfo& info, std::uint64_t bytes,
                     std::uint64_t file_bytes, const Limits& limits) {
  info.contiguous = false;
  info.stored_bytes = H5Dget_storage_size(dataset);
  if (info.stored_bytes > file_bytes) {
    fail(Fault::data, fmt::format("{}: stores {} bytes, the file has {}", info.path,
                                  info.stored_bytes, file_bytes));
  }
  if (bytes > limits.inflation_base_bytes &&
      (bytes - limits.inflation_base_bytes) / limits.inflation > info.stored_bytes) {
    fail(Fault::data, fmt::format("{}: {} stored bytes would grow to {}: more than {} times",
                                  info.path, info.stored_bytes, bytes, limits.inflation));
  }
}

}  // namespace

void check_storage(Hdf5Id dataset, const std::string& where) {
  const Hdf5Handle creation = creation_of(dataset, where);
  if (H5Pget_external_count(creation.id()) != 0) {
    fail(Fault::data, where + ": external storage is not allowed: its bytes are in another file");
  }
  const H5D_layout_t layout = H5Pget_layout(creation.id());
  if (layout == H5D_VIRTUAL) {
    fail(Fault::data,
         where + ": a virtual dataset is not allowed here: its bytes are in other files");
  }
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT) {
    fail(Fault::data, where + ": unknown storage layout");
  }
  check_filters(creation.id(), where);
}

DatasetInfo examine_dataset(Hdf5Id dataset, const std::string& path, std::uint64_t file_bytes,
                            const Limits& limits) {
  check_storage(dataset, path);
  DatasetInfo info;
  info.path = path;
  info.stored = element_type(dataset, path);
  info.shape = shape_of(dataset, path, limits);
  std::uint64_t bytes = 0;
  try {
    bytes = byte_count(info.shape, info.stored);
  } catch (const Error& error) {
    fail_in(path, error);
  }
  const Hdf5Handle creation = creation_of(dataset, path);
  const H5D_layout_t layout = H5Pget_layout(creation.id());
  if (layout == H5D_CONTIGUOUS) {
    check_contiguous(dataset, info, bytes, file_bytes, limits);
    return info;
  }
  if (layout == H5D_CHUNKED && bytes > 0) check_chunks(dataset, creation.id(), info, limits);
  if (!limits.allow_unallocated) check_inflation(dataset, info, bytes, file_bytes, limits);
  info.contiguous = false;
  return info;
}

}  // namespace tpinfer::shard
