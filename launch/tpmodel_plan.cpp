#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/overwrite.hpp"
#include "launch/tpmodel_commands.hpp"
#include "runtime/plan_bytes.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/file/given_strategies.hpp"
#include "shard/file/text_file.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/memory.hpp"
#include "shard/plan/plan_text.hpp"
#include "shard/plan/predict.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::launch {
namespace {

using runtime::RankBytes;

void print_layouts(const shard::Plan& plan) {
  fmt::print("tensors (one line per layout; the box is rank 0's)\n");
  for (const shard::Value& value : plan.values) {
    fmt::print("  {} {} {} {} {}\n", value.tensor, name_of(value.dtype), to_text(value.shape),
               shard::to_text(value.layout),
               to_text(shard::local_box(value.shape, value.layout, plan.mesh, 0)));
  }
}

// Neighbouring ranks with the same figures share a line.
void print_ranks(const std::vector<RankBytes>& ranks, std::size_t total) {
  fmt::print("bytes per rank (all weights: {})\n", total);
  for (std::size_t begin = 0; begin < ranks.size();) {
    std::size_t end = begin + 1;
    while (end < ranks.size() && ranks[end].weights == ranks[begin].weights &&
           ranks[end].activations == ranks[begin].activations) {
      ++end;
    }
    const std::string who = end == begin + 1 ? fmt::format("rank {}", begin)
                                             : fmt::format("ranks {} to {}", begin, end - 1);
    fmt::print("  {}: weights {}, activations {}\n", who, ranks[begin].weights,
               ranks[begin].activations);
    begin = end;
  }
}

void print_json(const shard::BoundGraph& graph, const shard::Plan& plan,
                const shard::PlanOptions& options) {
  using Json = nlohmann::ordered_json;
  Json json{{"schema", 1},
            {"ranks", plan.mesh.size()},
            {"mesh", shard::to_text(plan.mesh)},
            {"weight_bytes", shard::total_weight_bytes(plan)},
            {"predicted_seconds", shard::predicted_seconds(graph, plan, options.costs, 1)},
            {"proven", plan.proven},
            {"tensors", Json::array()},
            {"collectives", Json::array()},
            {"rank", Json::array()}};
  for (const shard::Value& value : plan.values) {
    json["tensors"].push_back({{"name", value.tensor},
                               {"dtype", std::string(name_of(value.dtype))},
                               {"shape", value.shape},
                               {"layout", shard::to_text(value.layout)}});
  }
  for (const shard::PlanStep& step : plan.steps) {
    if (!shard::is_collective(step.kind)) continue;
    json["collectives"].push_back(
        {{"kind", std::string(shard::name_of(step.kind))},
         {"tensor", plan.values[static_cast<std::size_t>(step.outputs[0])].tensor},
         {"ranks", plan.mesh.size_of(step.axes)},
         {"result_bytes", shard::result_bytes(plan, step)}});
  }
  const std::vector<RankBytes> bytes = runtime::bytes_per_rank(graph, plan);
  const std::vector<shard::Traffic> traffic = shard::traffic_of(graph, plan);
  for (std::size_t r = 0; r < bytes.size(); ++r) {
    json["rank"].push_back({{"weight_bytes", bytes[r].weights},
                            {"activation_bytes", bytes[r].activations},
                            {"collective_calls", traffic[r].calls},
                            {"bytes_sent", traffic[r].bytes_sent}});
  }
  fmt::print("{}\n", json.dump(2));
}

void tell(const std::string& note) { fmt::print(stderr, "tpmodel: note: {}\n", note); }

void write_strategies(const std::string& path, const shard::BoundGraph& graph,
                      const shard::Plan& plan, const shard::PlanOptions& options) {
  if (!path.ends_with(".json")) {
    fail(Fault::usage, fmt::format("--write-strategy {}: the name must end in .json, by which "
                                   "--strategy knows a file",
                                   path));
  }
  const shard::WrittenStrategies written = shard::write_strategy_file(graph, plan, options);
  shard::OutputFile file(path);
  file.append(written.text.data(), written.text.size());
  file.commit();
  for (const std::string& note : written.notes) tell(note);
  if (written.same_plan_option) tell(fmt::format("{}: read it with the same --plan", path));
  if (written.uneven) tell(fmt::format("{}: it has uneven cuts; read it with --uneven", path));
}

}  // namespace

shard::Symbols symbols_of(const PlanArguments& arguments) {
  shard::Symbols symbols;
  for (const std::string& setting : arguments.symbols) {
    const std::size_t equals = setting.find('=');
    std::int64_t value = 0;
    const char* end = setting.data() + setting.size();
    const bool legal = equals != std::string::npos && equals > 0 &&
                       std::from_chars(setting.data() + equals + 1, end, value).ptr == end &&
                       equals + 1 < setting.size() && value >= 0;
    if (!legal) fail(Fault::usage, fmt::format("--set {}: wanted NAME=NUMBER", setting));
    symbols[setting.substr(0, equals)] = value;
  }
  return symbols;
}

shard::PlanOptions options_of(const PlanArguments& arguments, const shard::Graph& graph,
                              const shard::BoundGraph& bound) {
  std::vector<std::string> notes;
  shard::PlanOptions options =
      plan_options(arguments.cut, read_plan_files(arguments.cut), graph, bound, notes);
  for (const std::string& note : notes) tell(note);
  return options;
}

int plan_command(const PlanArguments& arguments) {
  const auto model = open_for_planning(arguments.model);
  if (model->pipeline(arguments.method)) {
    fail(Fault::usage,
         fmt::format("--method {}: a pipeline has no plan of its own; plan the graphs "
                     "and methods that it calls",
                     arguments.method));
  }
  const shard::Graph graph = arguments.method.empty() ? model->graph(arguments.graph)
                                                      : model->method(arguments.method).graph;
  const shard::BoundGraph bound = bind_all(*model, graph, symbols_of(arguments), 1);
  const shard::PlanOptions options = options_of(arguments, graph, bound);
  const shard::Plan plan = shard::make_plan(bound, arguments.ranks, options);
  if (!arguments.write_strategy.empty()) {
    files_of(model->table()).refuse("--write-strategy", arguments.write_strategy);
    write_strategies(arguments.write_strategy, bound, plan, options);
  }
  if (arguments.json) {
    print_json(bound, plan, options);
    return 0;
  }
  fmt::print("graph {} on {} rank{}: {}\n", graph.name, arguments.ranks,
             arguments.ranks == 1 ? "" : "s", shard::summarize_collectives(plan));
  const shard::RankNeed need = runtime::largest_need(bound, plan);
  fmt::print("{}\n", shard::summarize_prediction(bound, plan, options, 1, need.all()));
  fmt::print("steps\n{}", shard::describe_plan(bound, plan));
  print_layouts(plan);
  print_ranks(runtime::bytes_per_rank(bound, plan), shard::total_weight_bytes(plan));
  for (const std::string& line : shard::idle_ranks(bound, plan)) fmt::print("idle: {}\n", line);
  for (const std::string& line : shard::explain_plan(bound, plan)) fmt::print("why: {}\n", line);
  for (const std::string& line : shard::reasons(bound, plan, options)) {
    fmt::print("why: {}\n", line);
  }
  return 0;
}

}  // namespace tpinfer::launch
