#include "shard/plan/checkpoint_cuts.hpp"

#include <utility>

#include "shard/layout/box_cover.hpp"
#include "shard/plan/weight_boxes.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::int64_t kSmallElements = 1024;

void add_unloaded(const Shape& shape, std::vector<std::vector<Box>>& boxes) {
  std::vector<Box> loaded;
  for (const std::vector<Box>& of_rank : boxes) {
    loaded.insert(loaded.end(), of_rank.begin(), of_rank.end());
  }
  const int ranks = static_cast<int>(boxes.size());
  for (const Box& rest : uncovered(whole_box(shape), loaded)) {
    for (int rank = 0; rank < ranks; ++rank) {
      Box part = rest;
      if (element_count(rest.extent) > kSmallElements) {
        const Range range = split(rest.extent[0], ranks, rank);
        part.offset[0] += range.begin;
        part.extent[0] = range.size();
      }
      boxes[static_cast<std::size_t>(rank)].push_back(std::move(part));
    }
  }
}

// How a device matrix would say the layout of a value that is the whole weight.
TensorMap map_of(const Value& value, const WeightView& view, const Mesh& mesh) {
  TensorMap map;
  for (const MeshAxis& axis : mesh.axes) map.dev_matrix.push_back(axis.size);
  const int last = static_cast<int>(mesh.axes.size()) - 1;
  for (std::size_t d = 0; d < value.shape.size(); ++d) {
    std::vector<int>& entry = map.tensor_map.emplace_back();
    for (const int axis : value.layout.axes_of(static_cast<int>(d))) entry.push_back(last - axis);
  }
  if (view.transposed) std::swap(map.tensor_map[0], map.tensor_map[1]);
  return map;
}

// A map that says what the boxes say, if there is one among those of the plans and the plain ones.
std::optional<TensorMap> find_map(const std::string& name, const Shape& shape,
                                  const std::vector<std::vector<Box>>& boxes,
                                  const std::vector<PlannedGraph>& planned) {
  std::vector<TensorMap> candidates;
  for (const PlannedGraph& one : planned) {
    for (const int id : one.plan.weights) {
      const Value& value = one.plan.values[static_cast<std::size_t>(id)];
      const WeightView& view = one.graph.tensor(value.tensor).weight.value();
      if (view.dataset == name) candidates.push_back(map_of(value, view, one.plan.mesh));
    }
  }
  const TensorMap whole{{static_cast<std::int64_t>(boxes.size())},
                        std::vector<std::vector<int>>(shape.size())};
  candidates.push_back(whole);
  if (!shape.empty()) {
    candidates.push_back(whole);
    candidates.back().tensor_map[0] = {0};
  }
  for (const TensorMap& map : candidates) {
    if (says_the_same(map, shape, boxes)) return map;
  }
  return std::nullopt;
}

}  // namespace

CheckpointCuts cuts_of(const std::map<std::string, Shape>& shapes,
                       const std::vector<PlannedGraph>& planned, int ranks) {
  CheckpointCuts cuts;
  cuts.ranks = ranks;
  for (const auto& [name, shape] : shapes) {
    cuts.weights[name].boxes.resize(static_cast<std::size_t>(ranks));
  }
  for (int rank = 0; rank < ranks; ++rank) {
    for (const PlannedGraph& one : planned) {
      for (auto& [name, boxes] : weight_boxes(one.graph, one.plan, rank)) {
        auto& own = cuts.weights.at(name).boxes[static_cast<std::size_t>(rank)];
        own.insert(own.end(), boxes.begin(), boxes.end());
      }
    }
  }
  for (auto& [name, weight] : cuts.weights) {
    const Shape& shape = shapes.at(name);
    add_unloaded(shape, weight.boxes);
    for (std::vector<Box>& boxes : weight.boxes) {
      boxes = without_contained(boxes);
      if (element_count(shape) == 0) boxes = {whole_box(shape)};  // everybody knows of it
    }
    weight.map = find_map(name, shape, weight.boxes, planned);
  }
  return cuts;
}

}  // namespace tpinfer::shard
