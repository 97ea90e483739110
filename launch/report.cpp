#include "launch/report.hpp"

#include <nlohmann/json.hpp>

#include "launch/runner.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/plan/plan_text.hpp"

namespace tpinfer::launch {
namespace {

using Json = nlohmann::ordered_json;

void add_collectives(Json& list, const shard::Plan& plan) {
  for (const shard::PlanStep& step : plan.steps) {
    if (!shard::is_collective(step.kind)) continue;
    const shard::Value& value = plan.values[static_cast<std::size_t>(step.outputs[0])];
    list.push_back({{"kind", std::string(shard::name_of(step.kind))},
                    {"tensor", value.tensor},
                    {"ranks", plan.mesh.size_of(step.axes)},
                    {"result_bytes", shard::result_bytes(plan, step)}});
  }
}

// Of each graph that ran: "collectives" and "weight_bytes" are those of one run of each.
Json graphs_json(const Runner& runner) {
  Json list = Json::array();
  for (const auto& graph : runner.graphs()) {
    list.push_back({{"name", graph->label()},
                    {"index", graph->index()},
                    {"runs", graph->runs()},
                    {"weight_bytes", shard::total_weight_bytes(graph->planned())}});
    add_collectives(list.back()["collectives"] = Json::array(), graph->planned());
  }
  return list;
}

Json rank_json(const RankTimes& rank) {
  return {{"load_seconds", rank.load},
          {"compute_seconds", rank.compute},
          {"communication_seconds", rank.communication},
          {"waiting_seconds", rank.waiting},
          {"weight_bytes_read", rank.weight_bytes_read},
          {"files_opened", rank.files_opened},
          {"weight_bytes", rank.weight_bytes},
          {"shared_weight_bytes", rank.shared_weight_bytes},
          {"activation_bytes", rank.activation_bytes},
          {"collective_calls", rank.collective_calls},
          {"bytes_sent", rank.bytes_sent},
          {"resident_bytes_at_start", rank.resident_bytes_at_start},
          {"peak_resident_bytes", rank.peak_resident_bytes}};
}

Json requests_json(const RequestCounts& counts) {
  const double per_second =
      counts.seconds > 0 ? static_cast<double>(counts.requests) / counts.seconds : 0;
  return {{"answered", counts.requests}, {"instances", counts.instances},
          {"errors", counts.errors},     {"runs", counts.runs},
          {"seconds", counts.seconds},   {"requests_per_second", per_second}};
}

}  // namespace

void write_report(const Options& options, const Runner& runner, const Report& report) {
  const shard::Plan& plan = runner.graphs().front()->planned();
  Json json{{"schema", 1},
            {"version", version_text()},
            {"model", options.model},
            {"ranks", plan.mesh.size()},
            {"nodes", report.nodes},
            {"threads_per_rank", report.threads},
            {"mesh", shard::to_text(plan.mesh)},
            {"kernels", options.kernels},
            {"fast", options.fast},
            {"repeat", options.repeat},
            {"rows", report.rows},
            {"run_seconds", report.run_seconds},
            {"predict_seconds", report.predict_seconds},
            {"weight_bytes", shard::total_weight_bytes(plan)},
            {"collectives", Json::array()}};
  add_collectives(json["collectives"], plan);
  if (!options.method.empty()) json["graphs"] = graphs_json(runner);
  for (const OutputReport& output : report.outputs) {
    json["outputs"].push_back({{"name", output.name},
                               {"dtype", std::string(name_of(output.dtype))},
                               {"shape", output.shape},
                               {"sha256", output.sha256}});
  }
  for (const InstanceReport& instance : report.instances) {
    json["instances"].push_back({{"ranks", instance.ranks},
                                 {"build_finish", instance.build_finish},
                                 {"predict", instance.predict},
                                 {"reply", instance.reply},
                                 {"exit", instance.exit}});
  }
  if (!report.accuracy.empty()) json["accuracy"] = report.accuracy;
  if (report.requests) json["requests"] = requests_json(*report.requests);
  for (const RankTimes& rank : report.ranks) json["rank"].push_back(rank_json(rank));
  const std::string text = json.dump(2) + "\n";
  shard::OutputFile file(options.report);
  file.append(text.data(), text.size());
  file.commit();
}

}  // namespace tpinfer::launch
