#include "shard/import/keras_weights.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "shard/file/dataset_check.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/raw_file.hpp"
#include "shard/file/superblock.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string key_of(const std::string& layer, const std::string& role) {
  return layer + "\n" + role;
}

// "dense_1/kernel:0" -> "kernel"
std::string role_of(const std::string& weight_name) {
  const std::string last = weight_name.substr(weight_name.rfind('/') + 1);
  return last.substr(0, last.find(':'));
}

// A list of names; Keras cuts one that is too long for an attribute into name0, name1, ...
std::optional<std::vector<std::string>> names_in(Hdf5Id group, const std::string& attribute,
                                                 const std::string& where) {
  if (auto whole = texts_attribute(group, attribute, where)) return whole;
  std::vector<std::string> names;
  for (int part = 0;; ++part) {
    const auto piece = texts_attribute(group, fmt::format("{}{}", attribute, part), where);
    if (!piece) break;
    names.insert(names.end(), piece->begin(), piece->end());
  }
  return names.empty() ? std::nullopt : std::optional(names);
}

// Opens a path one hard link at a time.
Hdf5Handle open_path(Hdf5Id group, const std::string& path, const std::string& where) {
  Hdf5Handle at = open_member(group, ".", where);
  std::string here = where;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, slash - begin);
    begin = slash + 1;
    if (name.empty()) continue;
    if (kind_of(at.id(), here) != Hdf5Kind::group) fail(Fault::data, here + ": is not a group");
    const auto members = members_of(at.id(), here, Limits{}.objects);
    here += "/" + name;
    if (std::find(members.begin(), members.end(), name) == members.end()) {
      fail(Fault::data, here + ": is missing");
    }
    at = open_member(at.id(), name, here);
  }
  return at;
}

}  // namespace

KerasWeights::KerasWeights(const std::string& path) {
  const RawFile raw(path);
  check_superblock(raw);
  const FileIdentity identity = raw.identity();
  ModelTable table;
  table.path = path;
  table.files.push_back({path, -1, false, identity});

  const Hdf5Handle file = open_hdf5(path, printable(path));
  model_config_ = text_attribute(file.id(), "model_config", "/");
  const std::string base = model_config_ ? "/model_weights" : "";
  const Hdf5Handle root = open_path(file.id(), base, "");
  const auto names = names_in(root.id(), "layer_names", base + "/");
  if (!names) fail(Fault::data, fmt::format("{}/: the attribute layer_names is missing", base));
  for (const std::string& layer : *names) {
    check_name(base + "/", layer);
    const std::string where = base + "/" + layer;
    const Hdf5Handle group = open_path(root.id(), layer, base);
    for (const std::string& weight :
         names_in(group.id(), "weight_names", where).value_or(std::vector<std::string>{})) {
      const Hdf5Handle dataset = open_path(group.id(), weight, where);
      const std::string here = where + "/" + weight;
      if (kind_of(dataset.id(), here) != Hdf5Kind::dataset)
        fail(Fault::data, here + ": no dataset");
      const DatasetInfo info = examine_dataset(dataset.id(), here, identity.bytes, Limits{});
      if (layers_.empty() || layers_.back() != layer) layers_.push_back(layer);
      if (!datasets_.emplace(key_of(layer, role_of(weight)), info).second) {
        fail(Fault::data, fmt::format("{}: has two weights called {}", where, role_of(weight)));
      }
      table.weights.push_back(whole_tensor(info, 0));
    }
  }
  file_ = std::make_unique<ModelFile>(std::move(table));
}

const DatasetInfo& KerasWeights::find(const std::string& layer, const std::string& role) const {
  const auto found = datasets_.find(key_of(layer, role));
  if (found == datasets_.end()) {
    fail(Fault::data, fmt::format("layer {}: the file has no weight \"{}\" for it", layer, role));
  }
  return found->second;
}

bool KerasWeights::has(const std::string& layer, const std::string& role) const {
  return datasets_.contains(key_of(layer, role));
}

const Shape& KerasWeights::shape(const std::string& layer, const std::string& role) const {
  return find(layer, role).shape;
}

std::vector<float> KerasWeights::read(const std::string& layer, const std::string& role) const {
  const DatasetInfo& info = find(layer, role);
  if (!is_float(info.stored)) {
    fail(Fault::data, fmt::format("layer {}: its weight \"{}\" is {}, not a float", layer, role,
                                  name_of(info.stored)));
  }
  std::vector<float> values(static_cast<std::size_t>(element_count(info.shape)));
  file_->read(info.path, whole_box(info.shape), values.data());
  return values;
}

}  // namespace tpinfer::shard
