#include "shard/file/assemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/file/file_names.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

bool same_graphs(const std::vector<GraphInfo>& a, const std::vector<GraphInfo>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.name == y.name &&
           (x.json == y.json || nlohmann::json::parse(x.json) == nlohmann::json::parse(y.json));
  });
}

class Assembler {
 public:
  explicit Assembler(ModelSet set) : set_(std::move(set)) {}
  ModelTable run();

 private:
  void add_file(const FileScan& scan);
  void add_graphs(const FileScan& scan);
  void add_answers(const FileScan& scan, int file);
  TensorInfo& tensor(const std::string& name, DType stored, const Shape& shape,
                     const std::string& where);
  void add_mappings();
  void add_mapping(TensorInfo& tensor, const Mapping& mapping);
  void check_whole() const;

  ModelSet set_;
  ModelTable table_;
  std::map<std::string, TensorInfo> weights_;
  std::map<std::string, std::string> first_seen_;  // weight -> where its shape is from
  std::string graphs_from_;
};

TensorInfo& Assembler::tensor(const std::string& name, DType stored, const Shape& shape,
                              const std::string& where) {
  const auto [at, added] = weights_.try_emplace(name);
  TensorInfo& known = at->second;
  if (added) {
    known = {name, "/weights/" + name, stored, shape, {}};
    first_seen_[name] = where;
  } else if (known.stored != stored || known.shape != shape) {
    fail(Fault::data, fmt::format("weight {} is {} {} in {} and {} {} in {}", printable(name),
                                  name_of(known.stored), to_text(known.shape), first_seen_[name],
                                  name_of(stored), to_text(shape), where));
  }
  return known;
}

void Assembler::add_graphs(const FileScan& scan) {
  if (scan.graphs.empty()) return;
  const std::string where = printable(scan.file.path);
  if (graphs_from_.empty()) {
    graphs_from_ = where;
    table_.graphs = scan.graphs;
    table_.calls = scan.calls;
  } else if (!same_graphs(table_.graphs, scan.graphs) ||
             !same_graphs(table_.calls.methods, scan.calls.methods) ||
             !same_graphs(table_.calls.pipelines, scan.calls.pipelines) ||
             table_.calls.version != scan.calls.version) {
    fail(Fault::data, fmt::format("{} and {} hold different graphs: they do not belong together",
                                  graphs_from_, where));
  }
}

void Assembler::add_answers(const FileScan& scan, int file) {
  if (!table_.examples.empty()) return;  // the master's, or the first shard file's
  table_.examples = scan.examples;
  for (ExampleInfo& example : table_.examples) {
    for (auto* tensors : {&example.inputs, &example.outputs}) {
      for (ExampleTensor& item : *tensors) item.data.sources[0].file = file;
    }
  }
}

void Assembler::add_file(const FileScan& scan) {
  const int file = static_cast<int>(table_.files.size());
  const std::string where = printable(scan.file.path);
  table_.files.push_back(scan.file);
  if (table_.ranks == 0) {
    table_.ranks = scan.ranks;
    table_.checkpoint = scan.checkpoint;
  }
  // Of a file without a rank that a master names, only what the master makes of it counts: but then
  // the master does not say that its files are parts of a checkpoint.
  if (set_.master && file > 0 && !scan.is_shard()) {
    if (table_.checkpoint.empty()) return;
    fail(Fault::data,
         fmt::format("{} says no rank and checkpoint, but the master {} is of checkpoint {}: the "
                     "file does not belong there",
                     where, printable(set_.master->file.path), printable(table_.checkpoint)));
  }
  for (const VirtualTensor& item : scan.virtuals) tensor(item.name, item.stored, item.shape, where);
  for (const Slice& slice : scan.slices) {
    const auto hash = scan.manifest.find(slice.data.name);
    tensor(slice.weight, slice.data.stored, slice.full_shape, where)
        .sources.push_back({file, slice.data, slice.box, Shape(slice.full_shape.size(), 0),
                            scan.is_shard() && hash != scan.manifest.end() ? hash->second : ""});
  }
  if (!scan.is_shard()) table_.manifest.insert(scan.manifest.begin(), scan.manifest.end());
  add_graphs(scan);
  add_answers(scan, file);
  const bool only = !set_.master && set_.files.size() == 1;
  for (const std::string& path : scan.unused) {
    table_.unused.push_back(only ? path : where + ": " + path);
  }
}

void Assembler::add_mapping(TensorInfo& tensor, const Mapping& mapping) {
  const std::string path = join(folder_of(set_.master->file.path), mapping.file);
  const auto file = std::find_if(table_.files.begin(), table_.files.end(),
                                 [&](const FileInfo& info) { return info.path == path; });
  if (file == table_.files.end()) return;  // there under another name
  Source source{static_cast<int>(file - table_.files.begin()), {}, mapping.box, mapping.at, ""};
  source.data.path = mapping.dataset;
  if (file->missing) {
    tensor.sources.push_back(std::move(source));
    return;
  }
  const auto scan = std::find_if(set_.files.begin(), set_.files.end(),
                                 [&](const FileScan& item) { return item.file.path == path; });
  const auto slice = std::find_if(scan->slices.begin(), scan->slices.end(), [&](const Slice& item) {
    return item.data.path == mapping.dataset;
  });
  const Box block{mapping.at, mapping.box.extent};
  const std::string where = fmt::format("{}: {}", printable(set_.master->file.path), tensor.path);
  if (slice == scan->slices.end() || slice->data.stored != tensor.stored ||
      block.offset.size() != slice->data.shape.size() ||
      !contains(whole_box(slice->data.shape), block)) {
    fail(Fault::data,
         fmt::format("{}: a mapping wants {} of {} {} {}, which holds {}", where, to_text(block),
                     name_of(tensor.stored), printable(mapping.dataset), printable(path),
                     slice == scan->slices.end() ? "no such weight"
                                                 : fmt::format("{} {}", name_of(slice->data.stored),
                                                               to_text(slice->data.shape))));
  }
  if (!scan->is_shard()) {
    source.data = slice->data;
    tensor.sources.push_back(std::move(source));
    return;
  }
  Box said = slice->box;  // the block, by what the shard file says of itself
  for (std::size_t d = 0; d < block.offset.size(); ++d) said.offset[d] += block.offset[d];
  said.extent = block.extent;
  if (slice->weight != tensor.name || said != mapping.box) {
    table_.notes.push_back(
        fmt::format("{} takes {} from {}, which says that it is {} of {}; the file counts, other "
                    "programs see the master's view",
                    where, to_text(mapping.box), printable(path), to_text(said), slice->weight));
  }
}

void Assembler::add_mappings() {
  if (!set_.master) return;
  for (const VirtualTensor& item : set_.master->virtuals) {
    TensorInfo& known = weights_.at(item.name);
    for (const Mapping& mapping : item.mappings) add_mapping(known, mapping);
    beat();
  }
}

void Assembler::check_whole() const {
  if (!set_.missing.empty()) return;
  for (const TensorInfo& weight : table_.weights) {
    std::vector<Box> boxes;
    for (const Source& source : weight.sources) boxes.push_back(source.box);
    const std::vector<Box> holes = uncovered(whole_box(weight.shape), boxes);
    if (!holes.empty()) {
      fail(Fault::data,
           fmt::format("{}: weight {}: {} is in none of the files", printable(table_.path),
                       printable(weight.name), to_text(holes[0])));
    }
  }
}

ModelTable Assembler::run() {
  table_.path = set_.path;
  if (set_.master) add_file(*set_.master);
  for (const FileScan& scan : set_.files) add_file(scan);
  table_.files.insert(table_.files.end(), set_.missing.begin(), set_.missing.end());
  add_mappings();
  for (auto& [name, weight] : weights_) table_.weights.push_back(std::move(weight));
  if (table_.graphs.empty()) {
    fail(Fault::data, fmt::format("{}: it has no graph: /graphs/<name> must hold one as JSON{}",
                                  printable(table_.path), missing_text(table_)));
  }
  check_whole();
  return std::move(table_);
}

}  // namespace

ModelTable assemble(ModelSet set) { return Assembler(std::move(set)).run(); }

}  // namespace tpinfer::shard
