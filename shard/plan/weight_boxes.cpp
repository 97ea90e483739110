#include "shard/plan/weight_boxes.hpp"

#include <utility>

#include "shard/layout/box_cover.hpp"

namespace tpinfer::shard {

Box stored_box(const WeightView& view, const Box& box) {
  Box stored = box;
  if (view.transposed) {
    std::swap(stored.offset[0], stored.offset[1]);
    std::swap(stored.extent[0], stored.extent[1]);
  }
  for (std::size_t d = 0; d < stored.offset.size(); ++d) stored.offset[d] += view.box.offset[d];
  return stored;
}

std::map<std::string, std::vector<Box>> weight_boxes(const BoundGraph& graph, const Plan& plan,
                                                     int rank) {
  std::map<std::string, std::vector<Box>> boxes;
  for (const int id : plan.weights) {
    const Value& value = plan.values[static_cast<std::size_t>(id)];
    if (!holds(value.layout, plan.mesh, rank)) continue;
    const WeightView& view = graph.tensor(value.tensor).weight.value();
    boxes[view.dataset].push_back(
        stored_box(view, local_box(value.shape, value.layout, plan.mesh, rank)));
  }
  for (auto& [name, list] : boxes) list = without_contained(list);
  return boxes;
}

}  // namespace tpinfer::shard
