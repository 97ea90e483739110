#include "runtime/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "comm/fault.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "runtime/load_weight.hpp"
#include "runtime/memory.hpp"
#include "runtime/op.hpp"
#include "runtime/transfer.hpp"
#include "shard/plan/weight_boxes.hpp"

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
  int from = -1, to = -1;
};

}  // namespace

struct Engine::State {
  shard::BoundGraph graph;
  shard::Plan plan;
  comm::Communicator& world;
  EngineOptions options;
  Program program;
  std::map<std::vector<int>, std::unique_ptr<comm::Communicator>> groups;  // by mesh axes
  Block weights, arena, scratch;
  std::vector<Ready> steps;
  EngineTimes times;
  std::string kernel_report;

  std::byte* at(int value) const {
    const Place& place = program.places[static_cast<std::size_t>(value)];
    return (place.store == Place::Store::weights ? weights : arena).data() + place.offset;
  }

  Piece piece(int value) const {
    if (value < 0) return {};
    const Place& place = program.places[static_cast<std::size_t>(value)];
    // Empty pieces still point somewhere: null means "left out".
    static std::byte nowhere[64];
    std::byte* data = place.bytes > 0 ? at(value) : nowhere;
    return {{data, place.dtype, place.box.extent}, place.box, place.global};
  }

  void make_groups();
  void prepare();
  void prepare_compute(const shard::PlanStep& step, Ready& ready);
  void prove_kernels();
};

void Engine::State::make_groups() {
  for (const shard::PlanStep& step : plan.steps) {
    if (!shard::is_collective(step.kind) || groups.contains(step.axes)) continue;
    const std::vector<int> members = plan.mesh.group_of(step.axes, world.rank());
    groups[step.axes] = world.split(members.front(), plan.mesh.index_in(step.axes, world.rank()));
  }
}

void Engine::State::prepare_compute(const shard::PlanStep& step, Ready& ready) {
  ready.node = &graph.nodes[static_cast<std::size_t>(step.node)].node;
  ready.op = &operator_table().at(ready.node->op);
  for (int id : step.inputs) ready.inputs.push_back(piece(id));
  for (int id : step.outputs) ready.outputs.push_back(piece(id));
}

void Engine::State::prepare() {
  program = compile(graph, plan, world.rank(), options.fast);
  if (arena.size() < program.arena_bytes) arena = Block(program.arena_bytes, "activations");
  std::size_t scratch_bytes = 0;
  steps.clear();
  for (const shard::PlanStep& step : plan.steps) {
    Ready& ready = steps.emplace_back();
    if (step.kind == Kind::compute) {
      prepare_compute(step, ready);
      continue;
    }
    const bool sum = step.kind == Kind::all_reduce || step.kind == Kind::reduce_scatter;
    comm::Communicator& group = step.axes.empty() ? world : *groups.at(step.axes);
    ready.from = step.inputs[0];
    ready.to = step.outputs[0];
    ready.transfer =
        std::make_unique<Transfer>(plan, step, world.rank(), group,
                                   sum ? shard::roots_of_sum(graph, plan, step, world.rank())
                                       : std::vector<std::vector<Range>>{},
                                   options.fast);
    scratch_bytes = std::max(scratch_bytes, ready.transfer->scratch_bytes());
  }
  if (scratch.size() < scratch_bytes) scratch = Block(scratch_bytes, "communication buffers");
}

void Engine::State::prove_kernels() {
  std::vector<kernels::MatmulProblem> problems;
  for (const Ready& ready : steps) {
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
               const EngineOptions& options)
    : state_(new State{
          std::move(graph), std::move(plan), world, options, {}, {}, {}, {}, {}, {}, {}, {}}) {
  state_->make_groups();
  state_->program = compile(state_->graph, state_->plan, world.rank(), options.fast);
}

std::size_t Engine::bytes_needed() const {
  return state_->program.weight_bytes + state_->program.arena_bytes;
}

void Engine::allocate() {
  state_->weights = Block(state_->program.weight_bytes, "weights");
  state_->prepare();
  state_->prove_kernels();
}

Engine::~Engine() = default;

void Engine::open_weights(shard::ModelFile& file) const {
  std::vector<shard::BoxRequest> reads;
  for (const auto& [name, boxes] :
       shard::weight_boxes(state_->graph, state_->plan, state_->world.rank())) {
    for (const Box& box : boxes) reads.push_back({"/weights/" + name, box});
  }
  file.prepare(reads);
}

void Engine::load(shard::ModelFile& file,
                  const std::function<void(std::size_t, std::size_t)>& progress) {
  State& s = *state_;
  const std::size_t total = shard::weight_bytes(s.plan, s.world.rank());
  std::size_t done = 0;
  for (int id : s.plan.weights) {
    const Place& place = s.program.places[static_cast<std::size_t>(id)];
    const shard::Tensor& tensor =
        s.graph.tensor(s.plan.values[static_cast<std::size_t>(id)].tensor);
    comm::fault_site("load");
    try {
      load_weight(file, *tensor.weight, place.box, s.at(id));
    } catch (const Error& error) {
      fail_in("weight " + tensor.name, error);
    }
    done += place.bytes;
    if (progress) progress(done, total);
  }
}

void Engine::for_each_weight(
    const std::function<void(const std::string&, const View&)>& body) const {
  for (int id : state_->plan.weights) {
    body(state_->plan.values[static_cast<std::size_t>(id)].tensor, state_->piece(id).view);
  }
}

void Engine::rebind(shard::BoundGraph graph) {
  State& s = *state_;
  shard::Plan plan =
      shard::lay_out(graph, s.plan.mesh, shard::carry_over(s.graph, s.plan.decisions, graph));
  // Equal layouts in equal order are equal places; asked of the plans, all ranks answer alike.
  bool same = plan.weights.size() == s.plan.weights.size();
  for (std::size_t i = 0; same && i < plan.weights.size(); ++i) {
    const shard::Value& before = s.plan.values[static_cast<std::size_t>(s.plan.weights[i])];
    const shard::Value& after = plan.values[static_cast<std::size_t>(plan.weights[i])];
    same = before.tensor == after.tensor && before.layout == after.layout;
  }
  if (!same)
    fail(Fault::internal, "another batch size moves the weights; run without --batch-size");
  s.graph = std::move(graph);
  s.plan = std::move(plan);
  s.make_groups();
  s.prepare();
}

View Engine::input(std::size_t i) const { return state_->piece(state_->plan.inputs[i]).view; }

View Engine::output(std::size_t i) const { return state_->piece(state_->plan.outputs[i]).view; }

void Engine::run() {
  State& s = *state_;
  const std::span<std::byte> scratch(s.scratch.data(), s.scratch.size());
  for (const Ready& ready : s.steps) {
    const Clock::time_point start = Clock::now();
    comm::fault_site("step");
    beat();
    if (ready.op) {
      ready.op->run({*ready.node, ready.inputs, ready.outputs, s.options.family, s.options.fast});
      s.times.compute += seconds_since(start);
    } else {
      ready.transfer->run(s.at(ready.from), s.at(ready.to), scratch);
      s.times.collectives += seconds_since(start);
    }
  }
}

const shard::BoundGraph& Engine::graph() const { return state_->graph; }
const shard::Plan& Engine::plan() const { return state_->plan; }
EngineTimes Engine::times() const { return state_->times; }
std::size_t Engine::arena_bytes() const { return state_->arena.size() + state_->scratch.size(); }
const std::string& Engine::kernel_report() const { return state_->kernel_report; }

}  // namespace tpinfer::runtime
