#include "launch/pipeline_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "comm/together.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

std::string text_of(const shard::Tensor& tensor) {
  return fmt::format("{} {}", name_of(tensor.dtype), to_text(tensor.shape));
}

// The one element of an integer or boolean tensor.
std::int64_t value_of(const View& view) {
  std::int64_t value = 0;
  switch (view.dtype) {
    case DType::i8:
      return *view.as<std::int8_t>();
    case DType::i16:
      return *view.as<std::int16_t>();
    case DType::i32:
      return *view.as<std::int32_t>();
    default:  // unsigned, or 64 bits
      std::memcpy(&value, view.data, size_of(view.dtype));
      return value;
  }
}

bool collect_new(const std::vector<shard::PipelineStep>& steps,
                 const std::map<std::string, shard::Tensor>& known) {
  return std::any_of(steps.begin(), steps.end(), [&](const shard::PipelineStep& step) {
    return (step.is_loop && collect_new(step.steps, known)) ||
           std::any_of(step.outputs.begin(), step.outputs.end(),
                       [&](const auto& output) { return !known.contains(output.second); });
  });
}

void visit(const std::vector<shard::PipelineStep>& steps,
           const std::function<void(const shard::PipelineStep&)>& body) {
  for (const shard::PipelineStep& step : steps) {
    body(step);
    visit(step.steps, body);
  }
}

}  // namespace

PipelineRunner::PipelineRunner(
    const shard::PipelineSpec& spec,
    const std::function<GraphRunner&(const shard::PipelineStep&)>& graph_of)
    : spec_(spec) {
  visit(spec.steps, [&](const shard::PipelineStep& step) {
    if (!step.is_loop) calls_[&step].graph = &graph_of(step);
  });
}

void PipelineRunner::set(Variables& variables, const std::string& name, shard::Tensor tensor) {
  tensor.name = name;
  std::size_t& bytes = sizes_[name];
  bytes = std::max(bytes, byte_count(tensor.shape, tensor.dtype));
  variables[name] = std::move(tensor);
}

void PipelineRunner::infer(const shard::Symbols& symbols) {
  inputs_.clear();
  outputs_.clear();
  Variables variables;
  for (const shard::ValueSpec& input : spec_.inputs) {
    shard::Tensor tensor{input.name, input.dtype, {}, {}};
    for (const shard::Extent& extent : input.shape) {
      tensor.shape.push_back(extent.symbol.empty() ? extent.value : symbols.at(extent.symbol));
    }
    inputs_.push_back(tensor);
    set(variables, input.name, std::move(tensor));
  }
  try {
    infer(spec_.steps, variables);
  } catch (const Error& error) {
    fail_in("pipeline " + spec_.name, error);
  }
  for (const std::string& output : spec_.outputs) outputs_.push_back(variables.at(output));
}

std::vector<shard::Tensor> PipelineRunner::outputs_on(const shard::Symbols& symbols) const {
  PipelineRunner trial(spec_, [&](const shard::PipelineStep& step) -> GraphRunner& {
    return *calls_.at(&step).graph;
  });
  trial.infer(symbols);
  return trial.outputs_;
}

void PipelineRunner::infer(const std::vector<shard::PipelineStep>& steps, Variables& variables) {
  for (const shard::PipelineStep& step : steps) {
    if (step.is_loop) {
      infer_loop(step, variables);
    } else {
      infer_call(step, variables);
    }
  }
}

void PipelineRunner::infer_call(const shard::PipelineStep& step, Variables& variables) {
  Call& call = calls_.at(&step);
  const shard::Graph& graph = call.graph->graph();
  shard::Symbols symbols;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const shard::ValueSpec& wanted = graph.inputs[i];
    const shard::Tensor& given = variables.at(step.inputs[i].second);
    bool fits = given.dtype == wanted.dtype && given.shape.size() == wanted.shape.size();
    for (std::size_t d = 0; fits && d < wanted.shape.size(); ++d) {
      const shard::Extent& extent = wanted.shape[d];
      fits = given.shape[d] ==
             (extent.symbol.empty()
                  ? extent.value
                  : symbols.try_emplace(extent.symbol, given.shape[d]).first->second);
    }
    if (!fits) {
      fail(Fault::data, fmt::format("{}: input {} of {} is {} {}, {} is {}", step.where,
                                    wanted.name, call.graph->label(), name_of(wanted.dtype),
                                    shard::shape_text(wanted), given.name, text_of(given)));
    }
  }
  if (call.outputs.empty() || call.symbols != symbols) {
    call.symbols = symbols;
    call.outputs.clear();
    call.numbers.clear();
    const shard::BoundGraph bound = call.graph->bound(symbols);
    for (const auto& [output, variable] : step.outputs) {
      call.outputs.push_back(bound.tensor(output));
      call.outputs.back().name = variable;
      call.numbers.push_back(static_cast<std::size_t>(
          std::find(graph.outputs.begin(), graph.outputs.end(), output) - graph.outputs.begin()));
    }
  }
  for (const shard::Tensor& output : call.outputs) set(variables, output.name, output);
}

void PipelineRunner::infer_loop(const shard::PipelineStep& step, Variables& variables) {
  Loop loop;
  auto one_number = [&](const std::string& key, const shard::Tensor& tensor, bool boolean) {
    const bool legal = element_count(tensor.shape) == 1 &&
                       (is_integer(tensor.dtype) || (boolean && tensor.dtype == DType::boolean));
    if (legal) return;
    fail(Fault::data, fmt::format("{}: \"{}\" wants one integer{}, {} is {}", step.where, key,
                                  boolean ? " or boolean" : "", tensor.name, text_of(tensor)));
  };
  if (!step.repeat.tensor.empty()) {
    loop.repeat = variables.at(step.repeat.tensor);
    if (step.repeat.dimension < 0) {
      one_number("repeat", loop.repeat, false);
    } else if (step.repeat.dimension >= static_cast<int>(loop.repeat.shape.size())) {
      fail(Fault::data,
           fmt::format("{}: \"extent_of\": {} is {}, it has no dimension {}", step.where,
                       loop.repeat.name, text_of(loop.repeat), step.repeat.dimension));
    }
  }
  const Variables before = variables;
  loop.makes_new = collect_new(step.steps, before);
  infer(step.steps, variables);
  for (const auto& [state, next] : step.carry) {
    loop.carry.emplace_back(variables.at(state), variables.at(next));
    const auto& [to, from] = loop.carry.back();
    if (to.dtype == from.dtype && to.shape == from.shape) continue;
    fail(Fault::data, fmt::format("{}: \"carry\": {} is {}, its next value {} is {}", step.where,
                                  state, text_of(to), next, text_of(from)));
  }
  for (const auto& [name, tensor] : before) {
    const shard::Tensor& after = variables.at(name);
    if (after.dtype == tensor.dtype && after.shape == tensor.shape) continue;
    fail(Fault::data, fmt::format("{}: {} is {} before the loop and {} after one time", step.where,
                                  name, text_of(tensor), text_of(after)));
  }
  if (!step.until.empty()) {
    loop.until = variables.at(step.until);
    one_number("until", loop.until, true);
  }
  loops_[&step] = std::move(loop);
}

std::map<GraphRunner*, shard::Symbols> PipelineRunner::largest_calls() const {
  std::map<GraphRunner*, shard::Symbols> largest;
  std::map<GraphRunner*, std::int64_t> sizes;
  for (const auto& [step, call] : calls_) {
    std::int64_t size = 1;
    for (const auto& [symbol, value] : call.symbols) size *= std::max<std::int64_t>(1, value);
    const auto [at, fresh] = sizes.try_emplace(call.graph, size);
    if (!fresh && size <= at->second) continue;
    at->second = size;
    largest[call.graph] = call.symbols;
  }
  return largest;
}

std::size_t PipelineRunner::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, size] : sizes_) bytes += size;
  return bytes;
}

void PipelineRunner::allocate() {
  for (const auto& [name, size] : sizes_) {
    runtime::Block& block = blocks_[name];
    if (block.size() < size) block = runtime::Block(size, "variable " + name);
  }
}

View PipelineRunner::view(const shard::Tensor& tensor) const {
  return {blocks_.at(tensor.name).data(), tensor.dtype, tensor.shape};
}

void PipelineRunner::run() { run(spec_.steps); }

void PipelineRunner::run(const std::vector<shard::PipelineStep>& steps) {
  for (const shard::PipelineStep& step : steps) {
    if (step.is_loop) {
      run_loop(step);
    } else {
      run_call(step);
    }
  }
}

void PipelineRunner::run_call(const shard::PipelineStep& step) {
  const Call& call = calls_.at(&step);
  call.graph->prepare(call.symbols);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    const View to = call.graph->input(i);
    if (to.bytes() > 0) std::memcpy(to.data, blocks_.at(step.inputs[i].second).data(), to.bytes());
  }
  call.graph->run();
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    const View from = call.graph->output(call.numbers[i]);
    if (from.bytes() > 0) std::memcpy(view(call.outputs[i]).data, from.data, from.bytes());
  }
}

void PipelineRunner::run_loop(const shard::PipelineStep& step) {
  const Loop& loop = loops_.at(&step);
  std::int64_t count = step.repeat.count;
  if (!step.repeat.tensor.empty()) {
    count = step.repeat.dimension < 0
                ? value_of(view(loop.repeat))
                : loop.repeat.shape[static_cast<std::size_t>(step.repeat.dimension)];
  }
  const std::int64_t least = loop.makes_new ? 1 : 0;
  if (count < least || count > shard::kMaxRepeat) {
    throw comm::AgreedError(
        Fault::data,
        fmt::format("pipeline {}: {}: \"repeat\": {} says {} times; legal are {} to {}", spec_.name,
                    step.where, loop.repeat.name, count, least, shard::kMaxRepeat));
  }
  std::vector<std::byte> next;  // the new states, before any of them is replaced
  for (std::int64_t i = 0; i < count; ++i) {
    run(step.steps);
    next.clear();
    for (const auto& [to, from] : loop.carry) {
      const View source = view(from);
      const auto* bytes = static_cast<const std::byte*>(source.data);
      next.insert(next.end(), bytes, bytes + source.bytes());
    }
    std::size_t at = 0;
    for (const auto& [to, from] : loop.carry) {
      const View target = view(to);
      if (target.bytes() > 0) std::memcpy(target.data, next.data() + at, target.bytes());
      at += target.bytes();
    }
    if (!step.until.empty() && value_of(view(loop.until)) != 0) break;
  }
}

}  // namespace tpinfer::launch
