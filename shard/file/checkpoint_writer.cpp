#include "shard/file/checkpoint_writer.hpp"

#include <fmt/format.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/sha256.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/new_file.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Mode = StructureWriter::Mode;
using Json = nlohmann::json;

void set_map(StructureWriter& writer, const std::string& path, const TensorMap& map) {
  writer.set(path, "dev_matrix", map.dev_matrix);
  std::vector<std::int64_t> entries;
  bool lists = false;
  for (const std::vector<int>& entry : map.tensor_map) {
    lists |= entry.size() > 1;
    entries.push_back(entry.empty() ? -1 : entry[0]);
  }
  if (!lists) return writer.set(path, "tensor_map", entries);
  Json text = Json::array();
  for (const std::vector<int>& entry : map.tensor_map) {
    text.push_back(entry.empty() ? Json(-1) : Json(entry));
  }
  writer.set(path, "tensor_map", text.dump());
}

// A dataset's name for the next slice of a weight: its own, then with a number.
std::string free_name(const std::string& weight, std::size_t index, const CheckpointCuts& cuts) {
  std::string name = weight;
  for (std::size_t i = index; i > 0 && (name == weight || cuts.weights.contains(name)); ++i) {
    name = fmt::format("{}.{}", weight, i);
  }
  return name;
}

void add_slices(StructureWriter& writer, const TensorInfo& weight, const TensorCuts& cut, int rank,
                const CheckpointCuts& cuts, NewFile& file) {
  const std::vector<Box>& boxes = cut.boxes[static_cast<std::size_t>(rank)];
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const std::string name = free_name(weight.name, i, cuts), path = "/weights/" + name;
    const std::uint64_t offset = writer.add_tensor(path, weight.stored, boxes[i].extent);
    if (!weight.shape.empty()) {  // a scalar has nothing to say
      writer.set(path, "full_shape", weight.shape);
      writer.set(path, "offset", boxes[i].offset);
      if (cut.map) set_map(writer, path, *cut.map);
    }
    if (name != weight.name) writer.set(path, "weight", weight.name);
    file.destinations.push_back({weight.path, boxes[i], nullptr, offset, ""});
    file.dataset_names.push_back(name);
  }
}

void create_shard(const ModelTable& table, const CheckpointCuts& cuts, int rank, NewFile& file) {
  StructureWriter writer(file.path, file.shown, Mode::create);
  writer.set("/", "rank", std::int64_t{rank});
  writer.set("/", "ranks", std::int64_t{cuts.ranks});
  write_graphs(writer, table.graphs, table.calls);
  for (const TensorInfo& weight : table.weights) {
    add_slices(writer, weight, cuts.weights.at(weight.name), rank, cuts, file);
  }
  writer.close();
}

// Copies everything that the files wait for. Returns the hashes of the whole tensors by path.
std::map<std::string, std::string> copy_into(ModelFile& source, const std::vector<NewFile*>& files,
                                             const std::function<void()>& on_slab) {
  allow_many_files();
  std::deque<DataFile> open;
  std::vector<Destination> all;
  for (NewFile* file : files) {
    open.emplace_back(file->path, file->shown);
    for (Destination& destination : file->destinations) {
      destination.file = &open.back();
      all.push_back(destination);
    }
  }
  const std::map<std::string, std::string> hashes = copy_tensors(source, all, on_slab);
  std::size_t next = 0;
  for (NewFile* file : files) {
    for (Destination& destination : file->destinations) destination.hash = all[next++].hash;
  }
  for (DataFile& file : open) file.sync();
  return hashes;
}

Manifest manifest_of(const ModelTable& table, const std::map<std::string, std::string>& hashes) {
  Manifest manifest;
  for (const TensorInfo& weight : table.weights) manifest[weight.name] = hashes.at(weight.path);
  return manifest;
}

// Tells checkpoints apart: by everything that is in them and how it is cut.
std::string name_of_checkpoint(const ModelTable& table, const CheckpointCuts& cuts,
                               const Manifest& hashes) {
  Json json{{"ranks", cuts.ranks}, {"weights", Json::array()}, {"graphs", Json::array()}};
  for (const TensorInfo& weight : table.weights) {
    Json boxes = Json::array();
    for (const std::vector<Box>& of_rank : cuts.weights.at(weight.name).boxes) {
      Json& list = boxes.emplace_back(Json::array());
      for (const Box& box : of_rank) list.push_back(to_text(box));
    }
    json["weights"].push_back({weight.name, std::string(name_of(weight.stored)), weight.shape,
                               hashes.at(weight.name), boxes});
  }
  for (const GraphInfo& graph : table.graphs) json["graphs"].push_back({graph.name, graph.json});
  for (const auto* texts : {&table.calls.methods, &table.calls.pipelines}) {
    for (const GraphInfo& text : *texts) json["graphs"].push_back({text.name, text.json});
  }
  const std::string text = json.dump();
  return sha256_hex(text.data(), text.size()).substr(0, 32);
}

void finish_shard(const NewFile& file, const std::string& checkpoint) {
  Manifest manifest;
  for (std::size_t i = 0; i < file.dataset_names.size(); ++i) {
    manifest[file.dataset_names[i]] = file.destinations[i].hash;
  }
  StructureWriter writer(file.path, file.shown, Mode::extend);
  writer.set("/", "checkpoint", checkpoint);
  writer.add_text("/manifest", to_json(manifest));
  writer.close();
  DataFile(file.path, file.shown).sync();
  beat();
}

}  // namespace

void write_checkpoint(ModelFile& source, const std::string& folder, const std::string& stem,
                      const CheckpointCuts& cuts, const std::function<void()>& on_slab) {
  if (stem.empty() || stem.find_first_of("/%") != std::string::npos || !is_utf8(stem)) {
    fail(Fault::usage,
         fmt::format("\"{}\" cannot begin the names of shard files", printable(stem)));
  }
  const ModelTable& table = source.table();
  OutputFolder output(folder);
  std::vector<NewFile> files(static_cast<std::size_t>(cuts.ranks));
  std::vector<NewFile*> pointers;
  std::vector<std::string> names;
  for (int rank = 0; rank < cuts.ranks; ++rank) {
    NewFile& file = files[static_cast<std::size_t>(rank)];
    names.push_back(fmt::format("{}{}.h5", stem, rank));
    file.path = output.working_path(names.back());
    file.shown = output.final_path(names.back());
    create_shard(table, cuts, rank, file);
    pointers.push_back(&file);
  }
  const Manifest hashes = manifest_of(table, copy_into(source, pointers, on_slab));
  const std::string checkpoint = name_of_checkpoint(table, cuts, hashes);
  for (const NewFile& file : files) finish_shard(file, checkpoint);
  NewFile master{output.working_path(stem + ".h5"), output.final_path(stem + ".h5"), {}, {}};
  create_master(table, checkpoint, files, names, hashes, master);
  copy_into(source, {&master}, on_slab);
  output.commit();
}

void write_one_file(ModelFile& source, const std::string& path,
                    const std::function<void()>& on_slab) {
  const ModelTable& table = source.table();
  OutputFile output(path, OutputFile::Naming::named);
  NewFile file{output.working_path(), printable(path), {}, {}};
  {
    StructureWriter writer(file.path, file.shown, Mode::create);
    for (const TensorInfo& weight : table.weights) {
      const std::uint64_t offset = writer.add_tensor(weight.path, weight.stored, weight.shape);
      file.destinations.push_back({weight.path, whole_box(weight.shape), nullptr, offset, ""});
    }
    write_graphs(writer, table.graphs, table.calls);
    add_examples(writer, table, file);
    writer.close();
  }
  const Manifest hashes = manifest_of(table, copy_into(source, {&file}, on_slab));
  StructureWriter writer(file.path, file.shown, Mode::extend);
  writer.add_text("/manifest", to_json(hashes));
  writer.close();
  output.commit();
}

}  // namespace tpinfer::shard
