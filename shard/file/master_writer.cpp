#include <fmt/format.h>

#include <map>

#include "shard/file/model_writer.hpp"
#include "shard/file/new_file.hpp"

namespace tpinfer::shard {
namespace {

// All slices of a weight: what each offers, and the mapping of its whole dataset.
struct Slices {
  std::vector<Offer> offers;
  std::vector<Mapping> mappings;
};

std::map<std::string, Slices> slices_of(const std::vector<NewFile>& files,
                                        const std::vector<std::string>& names) {
  std::map<std::string, Slices> slices;
  for (std::size_t rank = 0; rank < files.size(); ++rank) {
    for (std::size_t i = 0; i < files[rank].dataset_names.size(); ++i) {
      const Destination& slice = files[rank].destinations[i];
      slices[slice.path].offers.push_back({slice.box, 0, true});
      slices[slice.path].mappings.push_back(
          {names[rank], "/weights/" + files[rank].dataset_names[i], slice.box, {}});
    }
  }
  return slices;
}

// HDF5 has no virtual dataset of a scalar or without elements; those are in the master itself.
bool can_be_virtual(const TensorInfo& weight) {
  return !weight.shape.empty() && element_count(weight.shape) > 0;
}

VirtualTensor view_of(const TensorInfo& weight, const Slices& slices) {
  VirtualTensor view{weight.name, weight.path, weight.stored, weight.shape, {}};
  for (const Cover::Part& part : cover(whole_box(weight.shape), slices.offers).parts) {
    Mapping mapping = slices.mappings[part.offer];
    for (std::size_t d = 0; d < weight.shape.size(); ++d) {
      mapping.at.push_back(part.box.offset[d] - mapping.box.offset[d]);
    }
    mapping.box = part.box;
    view.mappings.push_back(std::move(mapping));
  }
  return view;
}

}  // namespace

// Known answers with room for their elements.
void add_examples(StructureWriter& writer, const ModelTable& table, NewFile& file) {
  for (const ExampleInfo& example : table.examples) {
    const std::string base = fmt::format("/examples/{}", example.index);
    const auto add = [&](const std::string& section, const ExampleTensor& tensor) {
      const std::string path = base + section + tensor.data.name;
      const std::uint64_t offset = writer.add_tensor(path, tensor.data.stored, tensor.data.shape);
      file.destinations.push_back(
          {tensor.data.path, whole_box(tensor.data.shape), nullptr, offset, ""});
      return path;
    };
    for (const ExampleTensor& input : example.inputs) add("/inputs/", input);
    for (const ExampleTensor& output : example.outputs) {
      const std::string path = add("/outputs/", output);
      writer.set(path, "rtol", output.rtol);
      writer.set(path, "atol", output.atol);
    }
    if (!example.graph.empty()) writer.set(base, "graph", example.graph);
    if (!example.method.empty()) writer.set(base, "method", example.method);
  }
}

void create_master(const ModelTable& table, const std::string& checkpoint,
                   const std::vector<NewFile>& files, const std::vector<std::string>& names,
                   const Manifest& hashes, NewFile& master) {
  StructureWriter writer(master.path, master.shown, StructureWriter::Mode::create);
  writer.set("/", "ranks", static_cast<std::int64_t>(files.size()));
  writer.set("/", "checkpoint", checkpoint);
  writer.set("/", "files", names);
  write_graphs(writer, table.graphs, table.calls);
  const std::map<std::string, Slices> slices = slices_of(files, names);
  for (const TensorInfo& weight : table.weights) {
    if (can_be_virtual(weight)) {
      writer.add_virtual(view_of(weight, slices.at(weight.path)));
      continue;
    }
    const std::uint64_t offset = writer.add_tensor(weight.path, weight.stored, weight.shape);
    master.destinations.push_back({weight.path, whole_box(weight.shape), nullptr, offset, ""});
  }
  add_examples(writer, table, master);
  writer.add_text("/manifest", to_json(hashes));
  writer.close();
}

}  // namespace tpinfer::shard
