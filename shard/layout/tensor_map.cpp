#include "shard/layout/tensor_map.hpp"

#include <fmt/format.h>

#include <set>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

// Coordinates of a rank, one per device dimension.
std::vector<std::int64_t> coordinates_of(const TensorMap& map, std::int64_t rank) {
  std::vector<std::int64_t> at(map.dev_matrix.size());
  for (std::size_t d = at.size(); d-- > 0;) {
    at[d] = rank % map.dev_matrix[d];
    rank /= map.dev_matrix[d];
  }
  return at;
}

void check(const std::string& where, const TensorMap& map, const Shape& full, std::int64_t rank) {
  for (std::int64_t extent : map.dev_matrix) {
    if (extent < 1) fail(Fault::data, fmt::format("{}: device matrix entry {}", where, extent));
  }
  if (rank < 0 || rank >= map.ranks()) {
    fail(Fault::data,
         fmt::format("{}: rank {} is outside the device matrix of {}", where, rank, map.ranks()));
  }
  if (map.tensor_map.size() != full.size()) {
    fail(Fault::data, fmt::format("{}: a tensor map of {} entries for {} dimensions", where,
                                  map.tensor_map.size(), full.size()));
  }
  std::set<int> used;
  for (const std::vector<int>& entry : map.tensor_map) {
    for (int d : entry) {
      if (d < 0 || d >= static_cast<int>(map.dev_matrix.size())) {
        fail(Fault::data, fmt::format("{}: tensor map entry {} of {} device dimensions", where, d,
                                      map.dev_matrix.size()));
      }
      if (!used.insert(d).second) {
        fail(Fault::data, fmt::format("{}: device dimension {} cuts twice", where, d));
      }
    }
  }
}

// Part `index` of an extent that `parts` must divide.
Range even_part(const std::string& where, std::size_t dim, std::int64_t extent, std::int64_t parts,
                std::int64_t index) {
  if (extent % parts != 0) {
    fail(Fault::data, fmt::format("{}: dimension {} of {} is not divisible into {} slices", where,
                                  dim, extent, parts));
  }
  return split(extent, static_cast<int>(parts), static_cast<int>(index));
}

}  // namespace

std::int64_t TensorMap::ranks() const {
  std::int64_t ranks = 1;
  for (std::int64_t extent : dev_matrix) ranks *= extent;
  return ranks;
}

Box slice_of(const std::string& where, const TensorMap& map, const Shape& full, std::int64_t rank) {
  check(where, map, full, rank);
  const std::vector<std::int64_t> at = coordinates_of(map, rank);
  Box box = whole_box(full);
  for (std::size_t d = 0; d < full.size(); ++d) {
    std::int64_t parts = 1, index = 0;
    for (int entry : map.tensor_map[d]) {
      const std::size_t device = map.dev_matrix.size() - 1 - static_cast<std::size_t>(entry);
      parts *= map.dev_matrix[device];
      index = index * map.dev_matrix[device] + at[device];
    }
    const Range part = even_part(where, d, full[d], parts, index);
    box.offset[d] = part.begin;
    box.extent[d] = part.size();
  }
  if (map.opt_shard_size == 0) return box;
  if (map.opt_shard_step < 1 || full.empty()) {
    fail(Fault::data, fmt::format("{}: optimizer shards with step {}", where, map.opt_shard_step));
  }
  const std::int64_t size =
      map.opt_shard_size < 0 ? map.ranks() / map.opt_shard_step : map.opt_shard_size;
  if (size < 1) fail(Fault::data, fmt::format("{}: optimizer shards of size {}", where, size));
  const Range part = even_part(where, 0, box.extent[0], size, rank / map.opt_shard_step % size);
  box.offset[0] += part.begin;
  box.extent[0] = part.size();
  return box;
}

}  // namespace tpinfer::shard
