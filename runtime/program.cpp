#include "runtime/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "kernels/base/sha256.hpp"
#include "shard/plan/plan_text.hpp"

namespace tpinfer::runtime {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct Life {
  std::size_t first = std::numeric_limits<std::size_t>::max();  // the step that writes it
  std::size_t last = 0;                                         // the last step that reads it
};

// Inputs live from before the first step, outputs until after the last.
std::vector<Life> lives_of(const shard::Plan& plan) {
  std::vector<Life> lives(plan.values.size());
  for (int id : plan.inputs) lives[static_cast<std::size_t>(id)].first = 0;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    for (int id : plan.steps[s].inputs) {
      if (id >= 0) lives[static_cast<std::size_t>(id)].last = s + 1;
    }
    for (int id : plan.steps[s].outputs) {
      if (id < 0) continue;
      lives[static_cast<std::size_t>(id)].first = s + 1;
      lives[static_cast<std::size_t>(id)].last =
          std::max(lives[static_cast<std::size_t>(id)].last, s + 1);
    }
  }
  for (int id : plan.outputs) lives[static_cast<std::size_t>(id)].last = plan.steps.size() + 1;
  return lives;
}

// Lowest free offset for each value in order of birth.
std::size_t place_values(const shard::Plan& plan, std::vector<Place>& places) {
  const std::vector<Life> lives = lives_of(plan);
  std::vector<std::size_t> order;
  for (std::size_t v = 0; v < places.size(); ++v) {
    if (places[v].store == Place::Store::arena) order.push_back(v);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lives[a].first < lives[b].first; });
  std::size_t total = 0;
  std::vector<std::size_t> placed;
  for (std::size_t v : order) {
    // Births ascend: what is dead now stays dead.
    std::erase_if(placed, [&](std::size_t other) { return lives[other].last < lives[v].first; });
    std::vector<std::pair<std::size_t, std::size_t>> taken;  // [begin, end)
    for (std::size_t other : placed) {
      if (lives[v].last < lives[other].first) continue;
      taken.emplace_back(places[other].offset, places[other].offset + aligned(places[other].bytes));
    }
    std::sort(taken.begin(), taken.end());
    std::size_t at = 0;
    for (const auto& [begin, end] : taken) {
      if (at + places[v].bytes <= begin) break;
      at = std::max(at, end);
    }
    places[v].offset = at;
    total = std::max(total, at + aligned(places[v].bytes));
    placed.push_back(v);
  }
  return total;
}

}  // namespace

Program compile(const shard::BoundGraph& graph, const shard::Plan& plan, int rank, bool fast) {
  Program program;
  program.rank = rank;
  for (const shard::Value& value : plan.values) {
    Place place;
    place.dtype = value.dtype;
    place.global = value.shape;
    place.box = shard::local_box(value.shape, value.layout, plan.mesh, rank);
    place.bytes = shard::local_bytes(value, plan.mesh, rank);
    program.places.push_back(std::move(place));
  }
  for (const shard::PlanStep& step : plan.steps) {
    if (step.kind != shard::PlanStep::Kind::compute || fast) continue;
    const shard::Rule& rule = graph.nodes[static_cast<std::size_t>(step.node)].rule;
    for (int id : step.outputs) {
      if (id < 0 || !plan.values[static_cast<std::size_t>(id)].layout.partial()) continue;
      Place& place = program.places[static_cast<std::size_t>(id)];
      place.roots = static_cast<int>(shard::roots_on(rule, step.cuts, plan.mesh, rank).size());
      place.bytes *= static_cast<std::size_t>(place.roots);
    }
  }
  for (int id : plan.weights) {
    Place& place = program.places[static_cast<std::size_t>(id)];
    place.store = Place::Store::weights;
    place.offset = program.weight_bytes;
    program.weight_bytes += aligned(place.bytes);
  }
  program.arena_bytes = place_values(plan, program.places);
  return program;
}

std::string fingerprint(const shard::BoundGraph& graph, const shard::Plan& plan,
                        const std::string& extra) {
  const std::string text =
      fmt::format("arithmetic {}\n{}\n{}\n{}", kArithmeticVersion, extra,
                  shard::describe_graph(graph), shard::describe_plan(graph, plan));
  return sha256_hex(text.data(), text.size());
}

}  // namespace tpinfer::runtime
