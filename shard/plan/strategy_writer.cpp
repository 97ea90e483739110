// Writing strategy files.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shard/plan/device_matrix.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/strategy_file.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::ordered_json;

// The axes that a strategy is about: stages and parts of the batch are the mesh's.
std::vector<int> free_axes(const Cut& cut, const Mesh& mesh) {
  std::vector<int> axes = cut.axes;
  std::erase_if(axes, [&](int a) { return !mesh.free(a); });
  return axes;
}

std::int64_t parts_of(const std::vector<Cut>& cuts, int factor, const Mesh& mesh) {
  for (const Cut& c : cuts) {
    if (c.factor == factor) return mesh.size_of(free_axes(c, mesh));
  }
  return 1;
}

// The cuts of a node as a strategy on its inputs, of a Gemm in the Gemm's own form.
Strategy strategy_of(const BoundNode& bound, const std::vector<Cut>& cuts, const Mesh& mesh) {
  Strategy strategy;
  for (const std::vector<RuleDim>& dims : bound.rule.inputs) {
    strategy.emplace_back();
    for (const RuleDim& dim : dims) {
      strategy.back().push_back(dim.empty() ? 1 : parts_of(cuts, dim[0], mesh));
    }
  }
  if (bound.node.gemm && bound.node.gemm->trans_a) std::swap(strategy[0][0], strategy[0][1]);
  if (bound.node.gemm && bound.node.gemm->trans_b) std::swap(strategy[1][0], strategy[1][1]);
  return strategy;
}

FactorCuts factor_cuts(const BoundNode& bound, const std::vector<Cut>& cuts, const Mesh& mesh) {
  FactorCuts demand;
  for (int f : device_order(bound.rule)) {
    const std::int64_t parts = parts_of(cuts, f, mesh);
    if (parts < 2) continue;
    demand.factors.push_back(f);
    demand.parts.push_back(static_cast<int>(parts));
  }
  return demand;
}

// Whether a strategy cuts this node where the plan does: not between even parts.
bool cut_unevenly(const BoundNode& bound, const std::vector<Cut>& cuts, const Mesh& mesh) {
  return std::any_of(cuts.begin(), cuts.end(), [&](const Cut& c) {
    const Factor& factor = bound.rule.factors[static_cast<std::size_t>(c.factor)];
    return (c.by_leaf && !factor.contracted) || factor.extent % mesh.size_of(c.axes) != 0;
  });
}

const BoundNode& node_of(const BoundGraph& graph, const PlanStep& step) {
  return graph.nodes[static_cast<std::size_t>(step.node)];
}

std::string unwritable(const BoundNode& bound, const std::vector<Cut>& cuts, const Mesh& mesh) {
  return fmt::format("{}: its cuts {} lie on other axes of the mesh {} than a strategy's would",
                     label_of(bound.node), to_text(strategy_of(bound, cuts, mesh)), to_text(mesh));
}

// Whether the factors in the order of the device matrix are cut over the mesh's first axes in
// theirs: the only assignment that a strategy can mean.
bool in_order(const BoundNode& bound, const std::vector<Cut>& cuts, const Mesh& mesh) {
  std::size_t next = 0;
  for (int f : device_order(bound.rule)) {
    for (const Cut& c : cuts) {
      if (c.factor != f) continue;
      for (int axis : free_axes(c, mesh)) {
        while (next < mesh.axes.size() &&
               (mesh.axes[next].size == 1 || !mesh.free(static_cast<int>(next)))) {
          ++next;
        }
        if (static_cast<std::size_t>(axis) != next++) return false;
      }
    }
  }
  return true;
}

// Whether reading the strategies back gives this plan.
bool gives(const BoundGraph& graph, const Plan& plan, const PlanOptions& options) {
  const Plan back = make_plan(graph, plan.mesh.size(), options);
  return describe_plan(graph, back) == describe_plan(graph, plan);
}

// How the user of a weight holds it, in the weight's own dimensions (a transposed view's are
// turned round).
TensorMap weight_map(const BoundGraph& graph, const Plan& plan, const PlanStep& step,
                     std::size_t input) {
  const BoundNode& bound = node_of(graph, step);
  const FactorCuts cuts = factor_cuts(bound, step.cuts, plan.mesh);
  int outer = 1;  // stages and parts of the batch
  const int dp = plan.mesh.axis(kDataAxis), pp = plan.mesh.axis(kPipelineAxis);
  for (int axis : {dp, pp}) {
    if (axis >= 0) outer *= plan.mesh.axes[static_cast<std::size_t>(axis)].size;
  }
  TensorMap map = device_layouts(bound.rule, cuts, plan.mesh.size() / outer).inputs[input];
  // Entries count from the right: a leading dimension of copies changes none of them.
  if (dp >= 0) {
    map.dev_matrix.insert(map.dev_matrix.begin(),
                          plan.mesh.axes[static_cast<std::size_t>(dp)].size);
  }
  if (graph.tensor(bound.node.inputs[input]).weight->transposed) {
    std::swap(map.tensor_map[0], map.tensor_map[1]);
  }
  return map;
}

// Whether every rank of the weight's stage holds that slice.
bool fits(const TensorMap& map, const Value& value, bool transposed, const Mesh& mesh) {
  try {
    const int ranks = static_cast<int>(map.ranks());  // of a stage
    const int first = std::max(0, value.layout.stage()) * ranks;
    for (int r = 0; r < ranks; ++r) {
      Box box = local_box(value.shape, value.layout, mesh, first + r);
      Shape shape = value.shape;
      if (transposed) {
        std::swap(box.offset[0], box.offset[1]);
        std::swap(box.extent[0], box.extent[1]);
        std::swap(shape[0], shape[1]);
      }
      if (slice_of("", map, shape, r) != box) return false;
    }
    return true;
  } catch (const Error&) {  // not divisible
    return false;
  }
}

Json layout_json(const TensorMap& map, const Shape& shape) {
  Json entries = Json::array();
  for (const std::vector<int>& entry : map.tensor_map) {
    entries.push_back(entry.empty() ? -1 : entry[0]);
  }
  return {{"dev_matrix", map.dev_matrix}, {"tensor_map", entries},
          {"tensor_shape", shape},        {"field", 0},
          {"opt_weight_shard_step", 0},   {"opt_weight_shard_size", 0}};
}

// Adds the layout of every weight that a step reads.
void add_layouts(const BoundGraph& graph, const Plan& plan, Json& items,
                 std::vector<std::string>& notes) {
  std::map<std::string, int> seen;  // by name: the value
  for (const PlanStep& step : plan.steps) {
    for (std::size_t i = 0; step.kind == PlanStep::Kind::compute && i < step.inputs.size(); ++i) {
      if (step.inputs[i] < 0) continue;
      const Value& value = plan.values[static_cast<std::size_t>(step.inputs[i])];
      const std::optional<WeightView>& view = graph.tensor(value.tensor).weight;
      if (!view) continue;
      const std::string name =
          view->transposed ? value.tensor.substr(0, value.tensor.size() - 2) : value.tensor;
      const auto [known, fresh] = seen.try_emplace(name, step.inputs[i]);
      const std::string held =
          fmt::format("weight {} {} {}", value.tensor, to_text(value.shape), to_text(value.layout));
      if (!fresh && known->second != step.inputs[i]) {
        notes.push_back(held + ": its second layout is not in the file");
      }
      if (!fresh) continue;
      const TensorMap map = weight_map(graph, plan, step, i);
      if (fits(map, value, view->transposed, plan.mesh)) {
        items[name] = layout_json(map, view->box.extent);
      } else {
        notes.push_back(held + ": its slices are not equal, so that its layout is not in the file");
      }
    }
  }
}

}  // namespace

WrittenStrategies write_strategy_file(const BoundGraph& graph, const Plan& plan,
                                      const PlanOptions& options) {
  WrittenStrategies written;
  PlanOptions reading = options;
  reading.strategies.clear();
  Json json{{"current_stage", 0},
            {"parallel_strategy_item", Json::object()},
            {"parallel_layout_item", Json::object()}};
  for (const PlanStep& step : plan.steps) {
    if (step.kind != PlanStep::Kind::compute) continue;
    const BoundNode& bound = node_of(graph, step);
    if (!in_order(bound, step.cuts, plan.mesh)) {
      written.notes.push_back(unwritable(bound, step.cuts, plan.mesh) +
                              "; it is left to the planner");
      continue;
    }
    const Strategy strategy = strategy_of(bound, step.cuts, plan.mesh);
    const int stage = plan.decisions[static_cast<std::size_t>(step.node)].stage;
    json["parallel_strategy_item"][bound.node.name] = {{"stage", stage},
                                                       {"parallel_strategy", strategy}};
    reading.strategies.push_back({bound.node.name, strategy, stage, "the strategies"});
    written.uneven = written.uneven || cut_unevenly(bound, step.cuts, plan.mesh);
  }
  reading.uneven = written.uneven;
  if (!gives(graph, plan, reading)) {
    if (written.notes.empty()) fail(Fault::internal, "the written strategies give another plan");
    fail(Fault::data, written.notes[0] +
                          ", which would choose another plan; give this node a "
                          "strategy");
  }
  written.same_plan_option = !written.notes.empty() && (options.fastest || options.batch);
  add_layouts(graph, plan, json["parallel_layout_item"], written.notes);
  written.text = json.dump(1) + "\n";
  return written;
}

}  // namespace tpinfer::shard
