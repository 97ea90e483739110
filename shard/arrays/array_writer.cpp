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
using Keep = std::unique_ptr<PlacedWriter> (*)(std::unique_ptr<OutputFile>, std::vector<ArraySpec>);

template <Keep keep>
std::unique_ptr<ArrayWriter> placed(std::unique_ptr<OutputFile> file,
                                    std::vector<ArraySpec> arrays) {
  return keep(std::move(file), std::move(arrays));
}

struct FormatRow {
  std::string_view extension;
  Create create;
  Keep keep;
};

constexpr std::array<FormatRow, 5> kFormats{{
    {".npy", placed<npy_writer>, npy_writer},
    {".npz", placed<npz_writer>, npz_writer},
    {".h5", placed<hdf5_writer>, hdf5_writer},
    {".hdf5", placed<hdf5_writer>, hdf5_writer},
    {".json", json_writer, kept_json_writer},
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

// The format of `path`, which takes these arrays.
const FormatRow& format_of(const std::string& path, const std::vector<ArraySpec>& arrays) {
  check_specs(path, arrays);
  for (const FormatRow& format : kFormats) {
    if (!path.ends_with(format.extension)) continue;
    if (format.keep == npy_writer && arrays.size() != 1) {
      fail(Fault::usage, fmt::format("{}: .npy holds one array and there are {} outputs ({}); "
                                     "write .npz, .h5 or .json",
                                     path, arrays.size(), names_of(arrays)));
    }
    return format;
  }
  fail(Fault::usage, fmt::format("{}: the extension of an output file is .npy, .npz, .h5 (.hdf5) "
                                 "or .json",
                                 path));
}

}  // namespace

std::unique_ptr<ArrayWriter> create_arrays(const std::string& path, std::vector<ArraySpec> arrays) {
  const FormatRow& format = format_of(path, arrays);
  return format.create(std::make_unique<OutputFile>(path), std::move(arrays));
}

std::unique_ptr<KeptArrays> keep_arrays(std::unique_ptr<OutputFile> file,
                                        std::vector<ArraySpec> arrays,
                                        const std::vector<std::int64_t>& rows_done) {
  const FormatRow& format = format_of(file->target(), arrays);
  const bool resumed = file->was_there();
  std::unique_ptr<PlacedWriter> writer = format.keep(std::move(file), std::move(arrays));
  if (resumed) writer->restore(rows_done);
  return writer;
}

bool kept_becomes_target(const std::string& path) { return !path.ends_with(".json"); }

}  // namespace tpinfer::shard
