#include "shard/file/slice.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/base/error.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/layout/tensor_map.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

// An entry of a tensor map: -1, a device dimension, or a list of them.
std::vector<int> map_entry(const Json& json, const std::string& where) {
  const auto number = [&](const Json& value) {
    if (!value.is_number_integer() || value < -1 || value > 1000) {
      fail(Fault::data, where + ": an entry is -1, a device dimension, or a list of those");
    }
    return value.get<int>();
  };
  std::vector<int> entry;
  if (!json.is_array()) {
    if (const int value = number(json); value >= 0) entry.push_back(value);
    return entry;
  }
  for (const Json& value : json) entry.push_back(number(value));
  return entry;
}

std::vector<std::vector<int>> read_tensor_map(Hdf5Id dataset, const std::string& where) {
  const std::string here = where + ": attribute tensor_map";
  Json json = Json::array();
  if (attribute_is_text(dataset, "tensor_map", where)) {
    const std::string text = text_attribute(dataset, "tensor_map", where).value();
    check_json(here, text);
    json = Json::parse(text);
    if (!json.is_array()) fail(Fault::data, here + ": must be a list");
  } else {
    json = integers_attribute(dataset, "tensor_map", where).value();
  }
  std::vector<std::vector<int>> map;
  for (const Json& entry : json) map.push_back(map_entry(entry, here));
  return map;
}

std::optional<Box> box_of_map(Hdf5Id dataset, const std::string& where, const Shape& full,
                              int rank) {
  const auto dev_matrix = integers_attribute(dataset, "dev_matrix", where);
  const bool mapped = has_attribute(dataset, "tensor_map", where);
  if (!dev_matrix && !mapped) return std::nullopt;
  if (!dev_matrix || !mapped) {
    fail(Fault::data,
         fmt::format("{}: has {} without {}", where, mapped ? "tensor_map" : "dev_matrix",
                     mapped ? "dev_matrix" : "tensor_map"));
  }
  TensorMap map;
  map.dev_matrix = *dev_matrix;
  map.tensor_map = read_tensor_map(dataset, where);
  map.opt_shard_step = integer_attribute(dataset, "opt_shard_step", where).value_or(0);
  map.opt_shard_size = integer_attribute(dataset, "opt_shard_size", where).value_or(0);
  const std::int64_t ranks = map.ranks();
  return slice_of(where, map, full, ranks > 0 ? rank % ranks : rank);
}

std::optional<Box> box_of_offset(Hdf5Id dataset, const DatasetInfo& data, const Shape& full) {
  const auto offset = integers_attribute(dataset, "offset", data.path);
  if (!offset) return std::nullopt;
  const Box box{*offset, data.shape};
  if (offset->size() != full.size() || data.shape.size() != full.size() ||
      !contains(whole_box(full), box)) {
    fail(Fault::data, fmt::format("{}: {} at offset {} is outside full_shape {}", data.path,
                                  to_text(data.shape), to_text(*offset), to_text(full)));
  }
  return box;
}

}  // namespace

Slice read_slice(Hdf5Id dataset, const DatasetInfo& data, int rank) {
  const std::string& where = data.path;
  Slice slice{data, text_attribute(dataset, "weight", where).value_or(data.name), data.shape,
              whole_box(data.shape)};
  check_name(where, slice.weight);
  const auto full = integers_attribute(dataset, "full_shape", where);
  if (full) {
    slice.full_shape = *full;
    try {
      byte_count(*full, data.stored);
    } catch (const Error& error) {
      fail_in(where + ": attribute full_shape", error);
    }
  }
  const auto by_map = box_of_map(dataset, where, slice.full_shape, rank);
  const auto by_offset = box_of_offset(dataset, data, slice.full_shape);
  if ((by_map || by_offset) && !full) {
    fail(Fault::data, where + ": a slice needs the attribute full_shape");
  }
  if (by_map && by_map->extent != data.shape) {
    fail(Fault::data, fmt::format("{}: its shape is {}, dev_matrix and tensor_map give rank {} {}",
                                  where, to_text(data.shape), rank, to_text(*by_map)));
  }
  if (by_map && by_offset && *by_map != *by_offset) {
    fail(Fault::data, fmt::format("{}: dev_matrix and tensor_map say {}, offset says {}", where,
                                  to_text(*by_map), to_text(*by_offset)));
  }
  if (by_map || by_offset) {
    slice.box = by_map ? *by_map : *by_offset;
  } else if (slice.full_shape != data.shape) {
    fail(Fault::data,
         fmt::format("{}: has shape {} of {}; which part it is must be said by offset, or by "
                     "dev_matrix and tensor_map",
                     where, to_text(data.shape), to_text(slice.full_shape)));
  }
  return slice;
}

void refuse_slice(Hdf5Id dataset, const std::string& where) {
  for (const char* name : {"full_shape", "offset", "dev_matrix", "tensor_map"}) {
    if (!has_attribute(dataset, name, where)) continue;
    fail(Fault::data, fmt::format("{}: has the attribute {} of a slice, but the file has no root "
                                  "attribute rank",
                                  where, name));
  }
}

}  // namespace tpinfer::shard
