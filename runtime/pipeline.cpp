#include "runtime/pipeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "comm/together.hpp"

namespace tpinfer::runtime {
namespace {

std::int64_t batch_rows(const Pipeline::Options& options, const shard::Symbols& symbols) {
  const auto at = symbols.find(options.batch);
  return at == symbols.end() ? 1 : at->second;
}

int micro_batch_count(const Pipeline::Options& options, std::int64_t rows) {
  if (options.batch.empty()) return 1;
  return static_cast<int>(std::clamp<std::int64_t>(rows, 1, options.micro_batches));
}

std::byte* rows_at(const View& whole, std::int64_t row) {
  const std::size_t row_bytes = whole.bytes() / static_cast<std::size_t>(whole.shape[0]);
  return static_cast<std::byte*>(whole.data) + static_cast<std::size_t>(row) * row_bytes;
}

}  // namespace

Pipeline::Pipeline(Engine& engine, comm::Communicator& world, Options options,
                   const shard::Symbols& planned)
    : engine_(engine), world_(world), options_(std::move(options)), bindings_{{planned, {}}} {
  symbols_ = planned;
  const shard::Mesh& mesh = engine.plan().mesh;
  const int axis = mesh.axis(shard::kPipelineAxis);
  if (axis >= 0) {
    stages_ = world.split(mesh.group_of({axis}, world.rank()).front(),
                          mesh.index_in({axis}, world.rank()));
  }
}

shard::Symbols Pipeline::largest_micro_batch(const Options& options, shard::Symbols symbols) {
  const std::int64_t rows = batch_rows(options, symbols);
  const int count = micro_batch_count(options, rows);
  std::int64_t most = 0;
  for (int m = 0; m < count; ++m) most = std::max(most, split(rows, count, m).size());
  if (!options.batch.empty()) symbols[options.batch] = most;
  return symbols;
}

Pipeline::Whole Pipeline::whole(const shard::Tensor& tensor) const {
  Whole whole;
  whole.block = Block(byte_count(tensor.shape, tensor.dtype), "batch " + tensor.name);
  whole.view = {whole.block.data(), tensor.dtype, tensor.shape};
  return whole;
}

// The first binding stays, for all others are made from it; so does what the batch is made of now.
void Pipeline::forget_oldest() {
  auto oldest = bindings_.end();
  for (auto at = bindings_.begin(); at != bindings_.end(); ++at) {
    const std::size_t binding = at->second.binding;
    const bool in_use = std::any_of(parts_.begin(), parts_.end(),
                                    [&](const Part& part) { return part.binding == binding; });
    if (binding == 0 || in_use) continue;
    if (oldest == bindings_.end() || at->second.last_use < oldest->second.last_use) oldest = at;
  }
  if (oldest == bindings_.end()) return;
  engine_.release(oldest->second.binding);
  bindings_.erase(oldest);
}

std::size_t Pipeline::binding_for(const shard::Symbols& extents) {
  auto at = bindings_.find(extents);
  if (at == bindings_.end()) {
    if (bindings_.size() >= kMaxBindings) forget_oldest();
    at = bindings_.emplace(extents, Bound{engine_.bind(options_.bind(extents))}).first;
  }
  at->second.last_use = ++uses_;
  return at->second.binding;
}

void Pipeline::prepare(const shard::Symbols& symbols) {
  if (!parts_.empty() && symbols == symbols_) return;
  const std::int64_t rows = batch_rows(options_, symbols);
  const int count = micro_batch_count(options_, rows);
  std::vector<Part> parts;
  for (int m = 0; m < count; ++m) {
    const Range part = split(rows, count, m);
    shard::Symbols extents = symbols;
    if (!options_.batch.empty()) extents[options_.batch] = part.size();
    parts.push_back({part, binding_for(extents)});
  }
  std::vector<Whole> inputs, outputs;
  if (parts.size() > 1 || stages_) {
    const shard::BoundGraph graph = options_.bind(symbols);
    comm::together(world_, "plan extents", [&] {
      for (std::size_t i = 0; parts.size() > 1 && i < graph.inputs.size(); ++i) {
        inputs.push_back(whole(graph.tensor(graph.inputs[i])));
      }
      for (const std::string& output : graph.outputs) {
        outputs.push_back(whole(graph.tensor(output)));
        outputs.back().cut = parts.size() > 1;
      }
    });
  }
  engine_.use(parts.front().binding);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].cut = inputs[i].view.shape != engine_.input(i).shape;
  }
  symbols_ = symbols;
  parts_ = std::move(parts);
  inputs_ = std::move(inputs);
  outputs_ = std::move(outputs);
}

View Pipeline::input(std::size_t i) const {
  return inputs_.empty() ? engine_.input(i) : inputs_[i].view;
}

View Pipeline::output(std::size_t i) const {
  return outputs_.empty() ? engine_.output(i) : outputs_[i].view;
}

void Pipeline::run() {
  for (const Part& part : parts_) {
    engine_.use(part.binding);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const View to = engine_.input(i);
      const std::byte* from = inputs_[i].cut ? rows_at(inputs_[i].view, part.rows.begin)
                                             : static_cast<std::byte*>(inputs_[i].view.data);
      std::memcpy(to.data, from, to.bytes());
    }
    engine_.run();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const shard::Plan& plan = engine_.plan();
      const shard::Layout& layout = plan.values[static_cast<std::size_t>(plan.outputs[i])].layout;
      if (!shard::holds(layout, plan.mesh, world_.rank())) continue;
      const View from = engine_.output(i);
      std::byte* to = outputs_[i].cut ? rows_at(outputs_[i].view, part.rows.begin)
                                      : static_cast<std::byte*>(outputs_[i].view.data);
      std::memcpy(to, from.data, from.bytes());
    }
  }
  if (stages_) deliver();
}

void Pipeline::deliver() {
  const auto start = std::chrono::steady_clock::now();
  const shard::Plan& plan = engine_.plan();
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const int stage = plan.values[static_cast<std::size_t>(plan.outputs[i])].layout.stage();
    if (stage < 0) continue;  // an input that is an output: everyone has it
    stages_->broadcast(outputs_[i].view.data, outputs_[i].view.bytes(), stage);
  }
  delivery_seconds_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::size_t Pipeline::bytes_for(const shard::Symbols& symbols) const {
  const bool several = micro_batch_count(options_, batch_rows(options_, symbols)) > 1;
  const shard::BoundGraph graph = options_.bind(symbols);
  std::size_t bytes = 0;
  auto add = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      bytes += byte_count(graph.tensor(name).shape, graph.tensor(name).dtype);
    }
  };
  if (several) add(graph.inputs);
  if (several || stages_) add(graph.outputs);
  return bytes;
}

}  // namespace tpinfer::runtime
