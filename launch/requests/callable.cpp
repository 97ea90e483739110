#include "launch/requests/callable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/plan/batch.hpp"

namespace tpinfer::launch {
namespace {

Options for_callee(Options options, const std::string& graph, const std::string& method) {
  options.graph = graph;
  options.method = method;
  return options;
}

}  // namespace

Callable::Callable(const Context& context, const std::string& graph, const std::string& method)
    : options_(for_callee(context.options, graph, method)),
      runner_(std::make_unique<Runner>(options_, context.session, context.model, context.story)) {
  name_ = runner_->signature().name;
  batch_ = runner_->batch();
  std::set<std::string> symbols;
  for (const shard::ValueSpec& input : inputs()) {
    for (const shard::Extent& extent : input.shape) {
      if (!extent.symbol.empty()) symbols.insert(extent.symbol);
    }
  }
  symbols_.assign(symbols.begin(), symbols.end());
  shard::Symbols first;
  for (const std::string& symbol : symbols_) first[symbol] = 1;
  if (!batch_.empty() && options_.batch_size > 0) first[batch_] = options_.batch_size;
  runner_->plan(first, 0);
  tell_plan(context, *runner_);
}

std::vector<shard::Tensor> Callable::outputs_on(const shard::Symbols& symbols) const {
  return runner_->outputs_on(symbols);
}

bool Callable::rows_stay_apart(const shard::Symbols& symbols) const {
  constexpr std::size_t kMostKept = 64;
  if (batch_.empty()) return false;
  shard::Symbols others = symbols;
  others[batch_] = 2;  // fewer could look harmless by chance
  const auto known = apart_.find(others);
  if (known != apart_.end()) return known->second;
  bool apart = true;
  try {
    const GraphRunner& graph = *runner_->graphs().front();
    shard::check_streamable(graph.graph(), graph.bound(others), batch_, "--batch");
  } catch (const Error&) {
    apart = false;
  }
  if (apart_.size() >= kMostKept) apart_.clear();
  return apart_[others] = apart;
}

void Callable::run(const shard::Symbols& symbols,
                   const std::function<void(std::size_t, View)>& fill) {
  Feed feed;
  feed.fill = [&](std::size_t i, const View& view) { fill(i, view); };
  runner_->run(symbols, feed);
}

std::vector<std::unique_ptr<Callable>> load_callables(const Context& context) {
  const Options& o = context.options;
  std::vector<std::pair<std::string, std::string>> names;  // graph, method
  if (!o.graph.empty() || !o.method.empty()) {
    names.emplace_back(o.graph, o.method);
  } else {
    for (std::size_t i = 0; i < context.model.graph_count(); ++i) {
      names.emplace_back(fmt::format("{}", i), "");
    }
    for (const std::string& name : context.model.method_names()) names.emplace_back("", name);
    for (const std::string& name : context.model.pipeline_names()) names.emplace_back("", name);
  }
  std::vector<std::unique_ptr<Callable>> callables;
  for (const auto& [graph, method] : names) {
    callables.push_back(std::make_unique<Callable>(context, graph, method));
  }
  std::vector<Runner*> runners;
  for (const auto& callable : callables) runners.push_back(&callable->runner());
  if (!context.options.dry_run) Runner::load_together(runners);
  return callables;
}

RankTimes times_of(std::vector<std::unique_ptr<Callable>>& callables) {
  RankTimes all;
  for (const std::unique_ptr<Callable>& callable : callables) {
    const RankTimes one = callable->runner().times();
    all.load = std::max(all.load, one.load);  // all were loaded together
    all.weight_bytes_read = std::max(all.weight_bytes_read, one.weight_bytes_read);
    all.compute += one.compute;
    all.communication += one.communication;
    all.waiting += one.waiting;
    all.activation_bytes += one.activation_bytes;
    all.weight_bytes = one.weight_bytes;  // what follows counts for the process
    all.files_opened = one.files_opened;
    all.bytes_sent = one.bytes_sent;
    all.collective_calls = one.collective_calls;
    all.peak_resident_bytes = one.peak_resident_bytes;
  }
  return all;
}

}  // namespace tpinfer::launch
