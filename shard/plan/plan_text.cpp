#include "shard/plan/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernels/base/text.hpp"
#include "shard/plan/cost.hpp"

namespace tpinfer::shard {
namespace {

std::string attribute_text(const Attribute& attribute) {
  struct Visitor {
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(const std::vector<std::int64_t>& v) const {
      return fmt::format("[{}]", fmt::join(v, ","));
    }
    std::string operator()(const std::vector<double>& v) const {
      return fmt::format("[{}]", fmt::join(v, ","));
    }
  };
  return std::visit(Visitor{}, attribute);
}

std::string value_text(const Plan& plan, int id) {
  if (id < 0) return "-";
  const Value& value = plan.values[static_cast<std::size_t>(id)];
  return fmt::format("{}{}{}", value.tensor, to_text(value.shape), to_text(value.layout));
}

std::string values_text(const Plan& plan, const std::vector<int>& ids) {
  std::string text;
  for (int id : ids) text += (text.empty() ? "" : ", ") + value_text(plan, id);
  return text;
}

std::string cuts_text(const Plan& plan, const Rule& rule, const std::vector<Cut>& cuts) {
  std::string text;
  for (const Cut& c : cuts) {
    text += fmt::format("{}{}/{}", text.empty() ? "cut " : ", ",
                        rule.factors[static_cast<std::size_t>(c.factor)].name,
                        plan.mesh.size_of(c.axes));
  }
  return text.empty() ? "whole" : text;
}

std::string axes_text(const Plan& plan, const std::vector<int>& axes) {
  if (axes.size() == plan.mesh.axes.size()) return fmt::format("{} ranks", plan.mesh.size());
  std::string names;
  for (int a : axes) {
    names += (names.empty() ? "" : ",") + plan.mesh.axes[static_cast<std::size_t>(a)].name;
  }
  return fmt::format("{} ranks along {}", plan.mesh.size_of(axes), names);
}

}  // namespace

std::size_t result_bytes(const Plan& plan, const PlanStep& step) {
  const Value& value = plan.values[static_cast<std::size_t>(step.outputs[0])];
  return static_cast<std::size_t>(largest_part(value.shape, value.layout, plan.mesh)) *
         size_of(value.dtype);
}

std::string describe_graph(const BoundGraph& graph) {
  std::string text;
  auto tensors = [&](const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) {
      list += list.empty() ? "" : ", ";
      list += name.empty() ? "-" : fmt::format("{}{}", name, to_text(graph.tensor(name).shape));
    }
    return list;
  };
  for (const BoundNode& bound : graph.nodes) {
    text += fmt::format("{} {}: {} -> {}", bound.node.op, bound.node.name,
                        tensors(bound.node.inputs), tensors(bound.node.outputs));
    for (const auto& [key, value] : bound.node.attributes) {
      text += fmt::format(" {}={}", key, attribute_text(value));
    }
    text += "\n";
  }
  return text;
}

std::string describe_plan(const BoundGraph& graph, const Plan& plan) {
  std::string text = fmt::format("mesh {}\n", to_text(plan.mesh));
  for (const PlanStep& step : plan.steps) {
    if (step.kind == PlanStep::Kind::compute) {
      const BoundNode& bound = graph.nodes[static_cast<std::size_t>(step.node)];
      text += fmt::format("  {:<14} {}: {} -> {} ({})\n", bound.node.op, bound.node.name,
                          values_text(plan, step.inputs), values_text(plan, step.outputs),
                          cuts_text(plan, bound.rule, step.cuts));
      continue;
    }
    text += fmt::format("  {:<14} {} -> {}", name_of(step.kind), value_text(plan, step.inputs[0]),
                        value_text(plan, step.outputs[0]));
    if (is_collective(step.kind)) {
      text += fmt::format(" ({}, {} bytes)", axes_text(plan, step.axes), result_bytes(plan, step));
    }
    text += "\n";
  }
  return text;
}

std::vector<std::string> explain_plan(const BoundGraph& graph, const Plan& plan) {
  std::vector<std::string> lines;
  const int ranks = plan.mesh.size();
  auto everywhere = [](int stage) {
    return stage < 0 ? std::string() : fmt::format(" of stage {}", stage);
  };
  for (int id : plan.weights) {
    const Value& value = plan.values[static_cast<std::size_t>(id)];
    const int stage = value.layout.stage();
    int idle = 0, holders = 0;
    for (int r = 0; r < ranks; ++r) {
      if (!holds(value.layout, plan.mesh, r)) continue;
      ++holders;
      if (local_bytes(value, plan.mesh, r) == 0) ++idle;
    }
    const std::string name =
        fmt::format("weight {} {} {}", value.tensor, to_text(value.shape), to_text(value.layout));
    if (value.layout == gathered(value.layout) && holders > 1) {
      lines.push_back(
          fmt::format("{}: whole on every rank{} ({} bytes): used where its operator "
                      "runs whole",
                      name, everywhere(stage), byte_count(value.shape, value.dtype)));
    } else if (idle > 0) {
      lines.push_back(fmt::format("{}: {} of {} ranks{} hold nothing of it: fewer units than ranks",
                                  name, idle, holders, everywhere(stage)));
    } else if (value.layout == gathered(value.layout) && stage >= 0) {
      lines.push_back(fmt::format("{}: on stage {}", name, stage));
    } else {
      lines.push_back(fmt::format("{}: cut", name));
    }
  }
  for (const PlanStep& step : plan.steps) {
    if (step.kind != PlanStep::Kind::compute || ranks == 1 || !step.cuts.empty()) continue;
    const BoundNode& bound = graph.nodes[static_cast<std::size_t>(step.node)];
    const bool staged = plan.mesh.axis(kPipelineAxis) >= 0;
    const int stage = staged ? plan.decisions[static_cast<std::size_t>(step.node)].stage : -1;
    lines.push_back(
        fmt::format("{}: computed whole on every rank{}", label_of(bound.node), everywhere(stage)));
  }
  return lines;
}

std::string summarize_run(const Plan& plan, int micro_batches) {
  std::string text = summarize_collectives(plan);
  if (micro_batches > 1) text += fmt::format(", for each of {} micro-batches", micro_batches);
  for (int id : plan.outputs) {
    const Value& value = plan.values[static_cast<std::size_t>(id)];
    if (value.layout.stage() < 0) continue;
    text +=
        fmt::format("; stage {} sends {} to all at the end", value.layout.stage(), value.tensor);
  }
  return text;
}

std::string summarize_collectives(const Plan& plan) {
  std::map<PlanStep::Kind, std::pair<int, std::size_t>> kinds;
  int count = 0;
  std::size_t bytes = 0;
  for (const PlanStep& step : plan.steps) {
    if (!is_collective(step.kind)) continue;
    const std::size_t result = result_bytes(plan, step);
    ++kinds[step.kind].first;
    kinds[step.kind].second += result;
    ++count;
    bytes += result;
  }
  if (count == 0) return "no collectives";
  std::string text = fmt::format("{} collective{}, {} bytes:", count, count == 1 ? "" : "s", bytes);
  const char* separator = " ";
  for (const auto& [kind, sum] : kinds) {
    text += fmt::format("{}{} {} {} bytes", separator, sum.first, name_of(kind), sum.second);
    separator = ", ";
  }
  return text;
}

}  // namespace tpinfer::shard
