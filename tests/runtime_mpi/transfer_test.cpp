// Every layout of a tensor to every other one, on meshes of several axes, uneven parts included:
// the right elements arrive, by the step that the layouts ask for.
#include "runtime/transfer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/comm/world.hpp"

namespace tpinfer::runtime {
namespace {

using comm::world;
using shard::Layout;
using shard::Mesh;
using shard::Placement;
using Kind = shard::PlanStep::Kind;

// Every layout of a tensor of this shape: per axis whole, or any dimension cut; per stage on a pp
// axis; cuts even and by leaf.
std::vector<Layout> layouts_of(const Mesh& mesh, const Shape& shape) {
  std::vector<Layout> all{shard::replicate(mesh, shape.size())};
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    std::vector<Layout> more;
    for (const Layout& layout : all) {
      more.push_back(layout);
      if (!mesh.free(static_cast<int>(a))) {
        for (int stage = 0; stage < mesh.axes[a].size; ++stage) {
          more.push_back(layout);
          more.back().placements[a] = {Placement::Kind::stage, stage};
        }
        continue;
      }
      for (std::size_t d = 0; d < shape.size(); ++d) {
        for (bool by_leaf : {false, true}) {
          Layout next = layout;
          std::vector<int> axes = layout.axes_of(static_cast<int>(d));
          axes.push_back(static_cast<int>(a));
          shard::cut(next, mesh, shape, static_cast<int>(d), axes, {1, by_leaf});
          if (next != more.back()) more.push_back(next);
        }
      }
    }
    all = std::move(more);
  }
  return all;
}

// What the placements ask for, told apart without looking at boxes.
Kind expected_kind(const Mesh& mesh, const Layout& from, const Layout& to) {
  if (from.stage() >= 0 && from.stage() != to.stage()) return Kind::send;
  bool gathers = true;
  for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
    if (to.placements[a].kind != Placement::Kind::shard) continue;
    if (to.placements[a] != from.placements[a]) gathers = false;
    // Losing or getting a major axis moves the parts of a minor one.
    for (std::size_t major = 0; major < a; ++major) {
      const bool before = from.placements[major] == to.placements[a];
      const bool after = to.placements[major] == to.placements[a];
      if (before != after) gathers = false;
    }
  }
  return gathers ? Kind::all_gather : Kind::all_to_all;
}

std::vector<float> part_of(const Shape& shape, const Box& box) {
  std::vector<float> whole(static_cast<std::size_t>(element_count(shape)));
  std::iota(whole.begin(), whole.end(), 1.0F);
  std::vector<float> part(static_cast<std::size_t>(element_count(box.extent)), 0);
  copy_common({{whole.data(), DType::f32, shape}, whole_box(shape), shape},
              {{part.data(), DType::f32, box.extent}, box, shape});
  return part;
}

class Pairs {
 public:
  Pairs(const Mesh& mesh, const Shape& shape) : mesh_(mesh), shape_(shape) {}

  void run(const Layout& from, const Layout& to) {
    shard::Plan plan;
    plan.mesh = mesh_;
    plan.values = {{"t", DType::f32, shape_, from}, {"t", DType::f32, shape_, to}};
    const shard::Reshard reshard = shard::reshard_between(shape_, from, to, mesh_);
    const shard::PlanStep step{reshard.kind, -1, {0}, {1}, {}, reshard.axes};
    const std::string what = to_text(mesh_) + " " + to_text(from) + " -> " + to_text(to) + " by " +
                             std::string(shard::name_of(reshard.kind));
    ++kinds[reshard.kind];
    const bool aligned = !shape_.empty() && shape_[0] % mesh_.size() == 0 &&
                         shape_.back() % mesh_.size() == 0 && from.divisions == to.divisions;
    if (reshard.kind != Kind::narrow && aligned) {
      EXPECT_EQ(reshard.kind, expected_kind(mesh_, from, to)) << what;
    }
    comm::Communicator& group = group_of(plan, step);
    if (shard::members_of(plan, step, world().rank()).empty()) return;
    const Transfer transfer(plan, step, world().rank(), group, {}, false);
    std::vector<std::byte> scratch(transfer.scratch_bytes());
    const int rank = world().rank();
    std::vector<float> mine = part_of(shape_, shard::local_box(shape_, from, mesh_, rank));
    const std::vector<float> wanted = part_of(shape_, shard::local_box(shape_, to, mesh_, rank));
    std::vector<float> got(wanted.size(), -1);
    transfer.run(mine.data(), got.data(), scratch);
    if (!shard::holds(to, mesh_, rank)) return;  // a scalar's box is never empty
    EXPECT_EQ(got, wanted) << what << ", rank " << rank;
  }

  std::map<Kind, int> kinds;

 private:
  comm::Communicator& group_of(const shard::Plan& plan, const shard::PlanStep& step) {
    std::vector<int> key = step.axes;
    if (step.kind == Kind::send) {
      key.push_back(100 + plan.values[0].layout.stage());
      key.push_back(200 + plan.values[1].layout.stage());
    } else {
      key.push_back(300 + plan.values[0].layout.stage());
    }
    auto& group = groups_[key];
    if (!group) {
      const std::vector<int> members = shard::members_of(plan, step, world().rank());
      group = world().split(members.empty() ? world().size() + world().rank() : members.front(),
                            mesh_.index_in(step.axes, world().rank()));
    }
    return *group;
  }

  Mesh mesh_;
  Shape shape_;
  std::map<std::vector<int>, std::unique_ptr<comm::Communicator>> groups_;
};

std::vector<Mesh> meshes() {
  const int ranks = world().size();
  std::vector<Mesh> all{{{{"tp", ranks}}}, {{{"pp", ranks}, {"tp", 1}}}};
  std::vector<std::int64_t> shares(static_cast<std::size_t>(ranks));
  std::iota(shares.begin(), shares.end(), 0);  // the first rank gets nothing
  if (ranks > 1) all.push_back({{{"tp", ranks, shares}}});
  for (int a = 2; a < ranks; ++a) {
    if (ranks % a != 0) continue;
    all.push_back({{{"tp0", a}, {"tp1", ranks / a}}});
    all.push_back({{{"pp", a}, {"tp", ranks / a}}});
  }
  if (ranks == 8) all.push_back({{{"pp", 2}, {"tp0", 2}, {"tp1", 2}}});
  return all;
}

TEST(Transfer, EveryLayoutToEveryOther) {
  std::map<Kind, int> kinds;
  for (const Mesh& mesh : meshes()) {
    for (const Shape& shape : {Shape{7, 19}, Shape{24, 120}, Shape{3}, Shape{}}) {
      Pairs pairs(mesh, shape);
      const std::vector<Layout> layouts = layouts_of(mesh, shape);
      for (const Layout& from : layouts) {
        for (const Layout& to : layouts) {
          if (from != to) pairs.run(from, to);
        }
      }
      for (const auto& [kind, count] : pairs.kinds) kinds[kind] += count;
    }
  }
  if (world().size() == 1) return;
  for (Kind kind : {Kind::narrow, Kind::all_gather, Kind::all_to_all, Kind::send}) {
    EXPECT_GT(kinds[kind], 0) << shard::name_of(kind);
  }
}

}  // namespace
}  // namespace tpinfer::runtime
