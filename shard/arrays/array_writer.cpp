#include "shard/arrays/array_writer.hpp"

#include <fmt/format.h>

#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/arrays/placed_writer.hpp"

namespace tpinfer::shard {
namespace {

using Create = std::unique_ptr<ArrayWriter> (*)(std::unique_ptr<OutputFile>,
                                                std::vector<ArraySpec>);

struct FormatRow {
  std::string_view extension;
  Create create;
};

constexpr std::array<FormatRow, 5> kFormats{{
    {".npy", npy_writer},
    {".npz", npz_writer},
    {".h5", hdf5_writer},
    {".hdf5", hdf5_writer},
    {".json", json_writer},
}};

void check_specs(const std::string& path, const std::vector<ArraySpec>& arrays) {
  std::set<std::string_view> names;
  for (const ArraySpec& array : arrays) {
    if (array.name.empty() || !names.insert(array.name).second) {
      fail(Fault::internal, fmt::format("{}: output name '{}' twice or empty", path, array.name));
    }
    byte_count(array.shape, array.dtype);
  }
}

std::string names_of(const std::vector<ArraySpec>& arrays) {
  std::vector<std::string_view> names;
  for (const ArraySpec& array : arrays) names.push_back(array.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::unique_ptr<ArrayWriter> create_arrays(const std::string& path, std::vector<ArraySpec> arrays) {
  check_specs(path, arrays);
  for (const FormatRow& format : kFormats) {
    if (!path.ends_with(format.extension)) continue;
    if (format.create == npy_writer && arrays.size() != 1) {
      fail(Fault::usage, fmt::format("{}: .npy holds one array and there are {} outputs ({}); "
                                     "write .npz, .h5 or .json",
                                     path, arrays.size(), names_of(arrays)));
    }
    return format.create(std::make_unique<OutputFile>(path), std::move(arrays));
  }
  fail(Fault::usage, fmt::format("{}: the extension of an output file is .npy, .npz, .h5 (.hdf5) "
                                 "or .json",
                                 path));
}

}  // namespace tpinfer::shard
