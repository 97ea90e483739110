#include "runtime/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "comm/fault.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "runtime/memory.hpp"
#include "runtime/op.hpp"
#include "runtime/transfer.hpp"

namespace tpinfer::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = shard::PlanStep::Kind;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A step ready to run: a call with its pieces, or a transfer.
struct Ready {
  const Operator* op = nullptr;
  const shard::Node* node = nullptr;
  std::vector<Piece> inputs, outputs;
  std::unique_ptr<Transfer> transfer;
  std::byte *from = nullptr, *to = nullptr;
  std::size_t step = 0;  // of the plan
};

}  // namespace

// The graph on certain extents, ready to run.
struct Engine::Binding {
  shard::BoundGraph graph;
  shard::Plan plan;
  Program program;
  std::vector<Ready> steps;
  std::vector<double> step_seconds;  // per step of the plan, with options.time_steps
  int runs = 0;
};

struct Engine::State {
  comm::Communicator& world;
  EngineOptions options;
  // By the mesh axes and the pipeline stages that a group of ranks spans.
  std::map<std::vector<int>, std::unique_ptr<comm::Communicator>> groups;
  std::shared_ptr<WeightStore> weights;
  Block arena, scratch;
  std::vector<std::unique_ptr<Binding>> bindings;  // null: released
  Binding* current = nullptr;
  EngineTimes times;
  std::string kernel_report;

  std::byte* at(const Place& place) const {
    const bool weight = place.store == Place::Store::weights;
    return (weight ? weights->data() : arena.data()) + place.offset;
  }

  Piece piece(const Program& program, int value) const {
    if (value < 0) return {};
    const Place& place = program.places[static_cast<std::size_t>(value)];
    // Empty pieces still point somewhere: null means "left out".
    static std::byte nowhere[64];
    std::byte* data = place.bytes > 0 ? at(place) : nowhere;
    return {{data, place.dtype, place.box.extent}, place.box, place.global};
  }

  std::unique_ptr<Binding> compiled(shard::BoundGraph graph, shard::Plan plan) const;
  std::unique_ptr<Binding> rebound(shard::BoundGraph graph) const;
  std::size_t add(std::unique_ptr<Binding> binding);
  void make_groups(const shard::Plan& plan);
  void prepare(Binding& binding);
  void prepare_step(Binding& binding, const shard::PlanStep& step);
  void move_activations(Block larger);
  std::size_t scratch_bytes_wanted() const;
  void prove_kernels();
};

namespace {

std::vector<int> group_key(const shard::Plan& plan, const shard::PlanStep& step) {
  std::vector<int> key = step.axes;
  key.push_back(-1);
  for (int id : {step.inputs[0], step.outputs[0]}) {
    key.push_back(plan.values[static_cast<std::size_t>(id)].layout.stage());
  }
  return key;
}

}  // namespace

// Collective: all ranks make all groups, those that they have no part in too.
void Engine::State::make_groups(const shard::Plan& plan) {
  for (const shard::PlanStep& step : plan.steps) {
    if (!shard::is_collective(step.kind)) continue;
    const std::vector<int> key = group_key(plan, step);
    if (groups.contains(key)) continue;
    const std::vector<int> members = shard::members_of(plan, step, world.rank());
    const bool joins = !members.empty();
    groups[key] = world.split(joins ? members.front() : world.size() + world.rank(),
                              plan.mesh.index_in(step.axes, world.rank()));
  }
}

void Engine::State::prepare_step(Binding& binding, const shard::PlanStep& step) {
  const Program& program = binding.program;
  if (shard::members_of(binding.plan, step, world.rank()).empty()) return;
  Ready& ready = binding.steps.emplace_back();
  ready.step = static_cast<std::size_t>(&step - binding.plan.steps.data());
  if (step.kind == Kind::compute) {
    ready.node = &binding.graph.nodes[static_cast<std::size_t>(step.node)].node;
    ready.op = &operator_table().at(ready.node->op);
    for (int id : step.inputs) ready.inputs.push_back(piece(program, id));
    for (int id : step.outputs) ready.outputs.push_back(piece(program, id));
    return;
  }
  const bool sum = step.kind == Kind::all_reduce || step.kind == Kind::reduce_scatter;
  comm::Communicator& group =
      shard::is_collective(step.kind) ? *groups.at(group_key(binding.plan, step)) : world;
  ready.from = at(program.places[static_cast<std::size_t>(step.inputs[0])]);
  ready.to = at(program.places[static_cast<std::size_t>(step.outputs[0])]);
  ready.transfer = std::make_unique<Transfer>(
      binding.plan, step, world.rank(), group,
      sum ? shard::roots_of_sum(binding.graph, binding.plan, step, world.rank())
          : std::vector<std::vector<Range>>{},
      options.fast);
}

void Engine::State::prepare(Binding& binding) {
  binding.steps.clear();
  for (const shard::PlanStep& step : binding.plan.steps) prepare_step(binding, step);
}

std::unique_ptr<Engine::Binding> Engine::State::compiled(shard::BoundGraph graph,
                                                         shard::Plan plan) const {
  auto binding = std::make_unique<Binding>();
  binding->graph = std::move(graph);
  binding->plan = std::move(plan);
  binding->step_seconds.assign(binding->plan.steps.size(), 0);
  binding->program = compile(binding->graph, binding->plan, world.rank(), options.fast);
  for (int id : binding->plan.weights) {
    Place& place = binding->program.places[static_cast<std::size_t>(id)];
    if (place.bytes == 0) continue;  // not here; of a scalar the box cannot say it
    const shard::Tensor& tensor =
        binding->graph.tensor(binding->plan.values[static_cast<std::size_t>(id)].tensor);
    place.offset = weights->add(tensor.name, *tensor.weight, place.box, place.dtype);
  }
  return binding;
}

std::unique_ptr<Engine::Binding> Engine::State::rebound(shard::BoundGraph graph) const {
  const Binding& first = *bindings[0];
  shard::Plan plan = shard::lay_out(graph, first.plan.mesh,
                                    shard::carry_over(first.graph, first.plan.decisions, graph));
  // Equal layouts in equal order are equal places; asked of the plans, all ranks answer alike.
  bool same = plan.weights.size() == first.plan.weights.size();
  for (std::size_t i = 0; same && i < plan.weights.size(); ++i) {
    const shard::Value& before = first.plan.values[static_cast<std::size_t>(first.plan.weights[i])];
    const shard::Value& after = plan.values[static_cast<std::size_t>(plan.weights[i])];
    same = before.tensor == after.tensor && before.layout == after.layout;
  }
  if (!same) {
    fail(Fault::internal, "another batch size moves the weights; run without --batch-size");
  }
  return compiled(std::move(graph), std::move(plan));
}

// Takes the lowest free number, the same on all ranks.
std::size_t Engine::State::add(std::unique_ptr<Binding> binding) {
  const auto free = std::find(bindings.begin(), bindings.end(), nullptr);
  const auto number = static_cast<std::size_t>(free - bindings.begin());
  if (free == bindings.end()) bindings.emplace_back();
  bindings[number] = std::move(binding);
  return number;
}

// Steps hold addresses, so all are made again when the memory moves.
void Engine::State::move_activations(Block larger) {
  arena = std::move(larger);
  for (const auto& binding : bindings) {
    if (binding) prepare(*binding);
  }
}

std::size_t Engine::State::scratch_bytes_wanted() const {
  std::size_t bytes = scratch.size();
  for (const auto& binding : bindings) {
    if (!binding) continue;
    for (const Ready& ready : binding->steps) {
      if (ready.transfer) bytes = std::max(bytes, ready.transfer->scratch_bytes());
    }
  }
  return bytes;
}

void Engine::State::prove_kernels() {
  std::vector<kernels::MatmulProblem> problems;
  for (const Ready& ready : current->steps) {
    if (!ready.op || ready.node->op != "MatMul" || ready.inputs[1].view.shape.size() != 2) continue;
    const Piece &x = ready.inputs[0], &w = ready.inputs[1];
    kernels::MatmulProblem problem{1,
                                   w.view.shape[1],
                                   x.global.back(),
                                   1,
                                   {w.box.offset[0], w.box.offset[0] + w.box.extent[0]}};
    for (std::size_t d = 0; d + 1 < x.view.shape.size(); ++d) problem.m *= x.view.shape[d];
    problems.push_back(problem);
  }
  if (!options.fast) kernel_report = kernels::prove(options.family, problems);
}

Engine::Engine(shard::BoundGraph graph, shard::Plan plan, comm::Communicator& world,
               const EngineOptions& options, std::shared_ptr<WeightStore> weights)
    : state_(new State{world, options, {}, std::move(weights), {}, {}, {}, nullptr, {}, {}}) {
  if (!state_->weights) state_->weights = std::make_shared<WeightStore>();
  state_->make_groups(plan);
  state_->add(state_->compiled(std::move(graph), std::move(plan)));
  use(0);
}

WeightStore& Engine::weights() const { return *state_->weights; }

std::size_t Engine::activation_bytes_needed() const { return state_->current->program.arena_bytes; }

void Engine::allocate() {
  state_->weights->allocate();
  state_->move_activations(Block(state_->current->program.arena_bytes, "activations"));
  state_->scratch = Block(state_->scratch_bytes_wanted(), "communication buffers");
  state_->prove_kernels();
}

Engine::~Engine() = default;

std::size_t Engine::bind(shard::BoundGraph graph) {
  State& s = *state_;
  std::unique_ptr<Binding> binding;
  Block larger;
  comm::together(s.world, "plan extents", [&] {
    binding = s.rebound(std::move(graph));
    const std::size_t wanted = binding->program.arena_bytes, held = s.arena.size();
    if (wanted <= held) return;
    if (s.options.check_memory) s.options.check_memory(wanted - held);
    larger = Block(wanted, "activations");
  });
  s.make_groups(binding->plan);
  const std::size_t number = s.add(std::move(binding));
  if (larger.size() > 0) {
    s.move_activations(std::move(larger));
  } else {
    s.prepare(*s.bindings[number]);
  }
  try {
    comm::together(s.world, "plan extents", [&] {
      const std::size_t wanted = s.scratch_bytes_wanted();
      if (wanted > s.scratch.size()) s.scratch = Block(wanted, "communication buffers");
    });
  } catch (const comm::AgreedError&) {
    release(number);
    throw;
  }
  return number;
}

void Engine::release(std::size_t binding) { state_->bindings.at(binding).reset(); }

void Engine::use(std::size_t binding) { state_->current = state_->bindings.at(binding).get(); }

View Engine::input(std::size_t i) const {
  return state_->piece(state_->current->program, state_->current->plan.inputs[i]).view;
}

View Engine::output(std::size_t i) const {
  return state_->piece(state_->current->program, state_->current->plan.outputs[i]).view;
}

void Engine::run() {
  State& s = *state_;
  const std::span<std::byte> scratch(s.scratch.data(), s.scratch.size());
  for (const Ready& ready : s.current->steps) {
    const Clock::time_point start = Clock::now();
    comm::fault_site("step");
    beat();
    if (ready.op) {
      ready.op->run({*ready.node, ready.inputs, ready.outputs, s.options.family, s.options.fast});
    } else {
      ready.transfer->run(ready.from, ready.to, scratch);
    }
    const double seconds = seconds_since(start);
    (ready.op ? s.times.compute : s.times.collectives) += seconds;
    if (s.options.time_steps) s.current->step_seconds[ready.step] += seconds;
  }
  ++s.current->runs;
}

const shard::BoundGraph& Engine::graph() const { return state_->current->graph; }
const shard::Plan& Engine::plan() const { return state_->current->plan; }
EngineTimes Engine::times() const { return state_->times; }
std::vector<StepTimes> Engine::step_times() const {
  std::vector<StepTimes> times;
  for (const auto& b : state_->bindings) {
    if (b) times.push_back({b->graph, b->plan, b->step_seconds, b->runs});
  }
  return times;
}
std::size_t Engine::arena_bytes() const { return state_->arena.size() + state_->scratch.size(); }
const std::string& Engine::kernel_report() const { return state_->kernel_report; }

}  // namespace tpinfer::runtime
