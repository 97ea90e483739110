#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/text.hpp"
#include "launch/run.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/predict.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::launch {

void tell_plan(const Context& context, const Runner& runner) {
  const Options& o = context.options;
  const shard::Plan& plan = runner.planned();
  Story& story = context.story;
  story.line(fmt::format("{} on {}, mesh {}, {}, kernels {}{}",
                         counted(static_cast<std::size_t>(plan.mesh.size()), "rank"),
                         counted(static_cast<std::size_t>(context.session.node_count()), "node"),
                         shard::to_text(plan.mesh), context.threads.text, o.kernels,
                         o.fast ? " --fast" : ""));
  std::size_t least = shard::weight_bytes(plan, 0), most = least;
  for (int r = 1; r < plan.mesh.size(); ++r) {
    least = std::min(least, shard::weight_bytes(plan, r));
    most = std::max(most, shard::weight_bytes(plan, r));
  }
  story.line(
      fmt::format("weights: {} of {} bytes per rank ({}, {})",
                  least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most),
                  shard::total_weight_bytes(plan), counted(plan.weights.size(), "weight"),
                  counted(runner.bound_graph().nodes.size(), "operator")));
  story.line("each run: " + shard::summarize_run(plan, runner.micro_batches()));
  for (const std::string& line : shard::idle_ranks(runner.bound_graph(), plan)) story.line(line);
  if (!o.explain) return;
  story.line(shard::summarize_prediction(runner.bound_graph(), plan, runner.plan_options(),
                                         runner.micro_batches(), runner.largest_need().all()));
  std::vector<std::string> lines = shard::explain_plan(runner.bound_graph(), plan);
  const std::vector<std::string> why =
      shard::reasons(runner.bound_graph(), plan, runner.plan_options());
  lines.insert(lines.end(), why.begin(), why.end());
  const std::string text = shard::describe_plan(runner.bound_graph(), plan);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& line : lines) story.line("plan: " + line);
}

}  // namespace tpinfer::launch
