#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/file/raw_file.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::size_t kSlab = std::size_t{4} << 20;

// SHA-256 of a weight's stored elements, "" when they cannot be read as stored (a compressed
// float16 or float64 dataset is converted as it is read).
std::string stored_hash(runtime::Model& model, const shard::RawFile& raw,
                        const shard::DatasetInfo& info) {
  const std::size_t bytes = byte_count(info.shape, info.stored);
  Sha256 hash;
  if (info.contiguous) {
    std::vector<std::byte> slab(std::min(bytes, kSlab));
    for (std::size_t done = 0; done < bytes; done += slab.size()) {
      slab.resize(std::min(slab.size(), bytes - done));
      raw.read(info.offset + done, slab.data(), slab.size());
      hash.update(slab.data(), slab.size());
    }
    return hash.hex();
  }
  if (model.file().compute_dtype(info.path) != info.stored) return "";
  std::vector<std::byte> elements(bytes);
  model.file().read(info.path, whole_box(info.shape), elements.data());
  hash.update(elements.data(), bytes);
  return hash.hex();
}

}  // namespace

int verify_command(const std::string& path) {
  const auto model = open_checked(path);
  for (const shard::GraphInfo& info : model->table().graphs) {
    bind_all(*model, model->graph(info.name), {}, 1);
  }
  const shard::RawFile raw(path);
  std::size_t proven = 0;
  const auto& manifest = model->table().manifest;
  for (const auto& [name, hash] : manifest) {
    const auto& weights = model->table().weights;
    const auto found = std::find_if(weights.begin(), weights.end(),
                                    [&](const auto& info) { return info.name == name; });
    if (found == weights.end()) {
      fail(Fault::data,
           fmt::format("{}: the manifest names weight {}, which is missing", path, name));
    }
    const std::string own = stored_hash(*model, raw, *found);
    if (own.empty()) continue;
    if (own != hash) {
      fail(Fault::data,
           fmt::format("{}: weight {} has sha256 {}, the manifest says {}", path, name, own, hash));
    }
    ++proven;
  }
  for (const shard::DatasetInfo& info : model->table().weights) {
    if (!manifest.empty() && !manifest.contains(info.name)) {
      fail(Fault::data, fmt::format("{}: weight {} is not in the manifest", path, info.name));
    }
  }
  fmt::print("verify: OK {} graph{}, {} weights, {}\n", model->table().graphs.size(),
             model->table().graphs.size() == 1 ? "" : "s", model->table().weights.size(),
             manifest.empty() ? "no manifest"
                              : fmt::format("{} of {} hashes proven", proven, manifest.size()));
  for (const std::string& name : model->unused_weights()) {
    fmt::print("note: weight {} is used by no graph\n", name);
  }
  return 0;
}

}  // namespace tpinfer::launch
