#include "launch/requests/callable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tpinfer::launch {
Callable::Callable(const Context& context, const std::string& graph, const std::string& method)
    : runner_(std::make_unique<Runner>(context.options, context.session, context.model,
                                       context.story, graph, method)) {
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
  if (!batch_.empty() && context.options.batch_size > 0) first[batch_] = context.options.batch_size;
  runner_->plan(first, 0);
}

bool Callable::rows_stay_apart(const shard::Symbols& symbols) const {
  constexpr std::size_t kMostKept = 64;
  if (batch_.empty()) return false;
  shard::Symbols others = symbols;
  others[batch_] = 2;  // fewer could look harmless by chance
  const auto known = apart_.find(others);
  if (known != apart_.end()) return known->second;
  const bool apart = runner_->rows_stay_apart(others);
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
  std::vector<std::unique_ptr<Callable>> callables;
  auto add = [&](const std::string& graph, const std::string& method) {
    callables.push_back(std::make_unique<Callable>(context, graph, method));
  };
  if (!o.graph.empty() || !o.method.empty()) {
    add(o.graph, o.method);
  } else {
    for (std::size_t i = 0; i < context.model.graph_count(); ++i) add(fmt::format("{}", i), "");
    for (const std::string& name : context.model.method_names()) add("", name);
    for (const std::string& name : context.model.pipeline_names()) add("", name);
    if (callables.empty()) add("", "");  // says what is missing
  }
  std::vector<const Runner*> planned;
  for (const auto& callable : callables) planned.push_back(&callable->runner());
  tell_plan(context, planned);
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
