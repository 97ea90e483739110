#include "shard/file/scan.hpp"

#include "shard/file/assemble.hpp"
#include "shard/file/read_integers.hpp"

namespace tpinfer::shard {
namespace {

bool has_all(const ModelTable& table, const TensorInfo& weight) {
  std::vector<Box> boxes;
  for (const Source& source : weight.sources) {
    if (!table.files[static_cast<std::size_t>(source.file)].missing) boxes.push_back(source.box);
  }
  return uncovered(whole_box(weight.shape), boxes).empty();
}

// Here, so that no rank opens a file for them.
void read_constants(ModelTable& table) {
  ModelFile file(table);
  for (const TensorInfo& weight : table.weights) {
    if (!may_decide_shapes(weight) || !has_all(table, weight)) continue;
    table.constants[weight.name] = read_integers(file, weight);
  }
}

}  // namespace

ModelTable scan_model(const std::string& path, const Limits& limits) {
  ModelTable table = assemble(find_model(path, limits));
  if (!limits.allow_unallocated) read_constants(table);
  return table;
}

}  // namespace tpinfer::shard
