#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/text.hpp"
#include "launch/run.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/predict.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::launch {

namespace {

// `prefix` tells of which of several graphs lines are.
void tell_graph(const Options& o, Story& story, const GraphRunner& graph,
                const std::string& prefix) {
  const shard::Plan& plan = graph.planned();
  std::size_t least = shard::weight_bytes(plan, 0), most = least;
  for (int r = 1; r < plan.mesh.size(); ++r) {
    least = std::min(least, shard::weight_bytes(plan, r));
    most = std::max(most, shard::weight_bytes(plan, r));
  }
  auto line = [&](const std::string& text) { story.line(prefix + text); };
  line(fmt::format("weights: {} of {} bytes per rank ({}, {})",
                   least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most),
                   shard::total_weight_bytes(plan), counted(plan.weights.size(), "weight"),
                   counted(graph.bound_graph().nodes.size(), "operator")));
  line("each run: " + shard::summarize_run(plan, graph.micro_batches()));
  for (const std::string& text : shard::idle_ranks(graph.bound_graph(), plan)) line(text);
  if (!o.explain) return;
  line(shard::summarize_prediction(graph.bound_graph(), plan, graph.plan_options(),
                                   graph.micro_batches(), graph.largest_need().all()));
  std::vector<std::string> lines = shard::explain_plan(graph.bound_graph(), plan);
  const std::vector<std::string> why =
      shard::reasons(graph.bound_graph(), plan, graph.plan_options());
  lines.insert(lines.end(), why.begin(), why.end());
  const std::string text = shard::describe_plan(graph.bound_graph(), plan);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& text_line : lines) line("plan: " + text_line);
}

}  // namespace

void tell_plan(const Context& context, const std::vector<const Runner*>& runners) {
  const Options& o = context.options;
  const shard::Mesh& mesh = runners.front()->graphs().front()->planned().mesh;
  context.story.line(fmt::format(
      "{} on {}, mesh {}, {}, kernels {}{}", counted(static_cast<std::size_t>(mesh.size()), "rank"),
      counted(static_cast<std::size_t>(context.session.node_count()), "node"), shard::to_text(mesh),
      context.threads.text, o.kernels, o.fast ? " --fast" : ""));
  for (const Runner* runner : runners) {
    const bool several = runner->graphs().size() > 1;
    const std::string outer = runners.size() > 1 ? runner->signature().label() + ": " : "";
    for (const auto& graph : runner->graphs()) {
      tell_graph(o, context.story, *graph, outer + (several ? graph->label() + ": " : ""));
    }
  }
}

}  // namespace tpinfer::launch
