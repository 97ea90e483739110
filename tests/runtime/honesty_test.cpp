// THE honesty test: what a rule says may be cut is cut, over 2 and 3 virtual ranks in one process;
// the operator runs on each piece; the pieces joined by the rule must be the whole, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kernels/math/combine.hpp"
#include "shard/plan/plan.hpp"
#include "tests/runtime/samples.hpp"

namespace tpinfer::runtime {
namespace {

using shard::Cut;
using shard::Layout;
using shard::Mesh;
using test::Array;
using test::BoundCall;
using test::Call;

constexpr std::size_t kGuard = 64;  // bytes behind an output that nobody may touch

std::string text_of(const Call& call, const BoundCall& bound, const std::vector<Cut>& cuts,
                    const Mesh& mesh) {
  std::string text = call.op;
  for (const Array& input : call.inputs) {
    text += " " + (input.present ? to_text(input.shape) + std::string(name_of(input.dtype)) : "-");
  }
  for (const Cut& c : cuts) {
    text += ", " + bound.rule.factors[static_cast<std::size_t>(c.factor)].name + "/" +
            std::to_string(mesh.size_of(c.axes)) + (c.by_leaf ? " by leaf" : "");
  }
  return text;
}

// The part of `array` that a rank holds.
Array part_of(const Array& array, const Box& box) {
  Array part = test::output_memory(array.dtype, box.extent);
  copy_common(test::whole(array), {part.view(), box, array.shape});
  return part;
}

// One rank's run: its outputs, roots before each other for a pending sum.
struct RankRun {
  std::vector<Box> boxes;
  std::vector<std::vector<std::byte>> outputs;
  std::vector<Range> roots;
};

RankRun run_rank(const Call& call, const BoundCall& bound, const std::vector<Cut>& cuts,
                 const Mesh& mesh, int rank) {
  RankRun result;
  result.roots = shard::roots_on(bound.rule, cuts, mesh, rank);
  std::vector<Array> parts;
  std::vector<Piece> in, out;
  parts.reserve(call.inputs.size());
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Array& input = call.inputs[i];
    if (!input.present) {
      in.emplace_back();
      continue;
    }
    const Layout layout = layout_of(bound.rule, bound.rule.inputs[i], false, cuts, mesh);
    const Box box = local_box(input.shape, layout, mesh, rank);
    parts.push_back(part_of(input, box));
    in.push_back({parts.back().view(), box, input.shape});
  }
  const std::vector<Array> before = parts;
  for (std::size_t o = 0; o < call.outputs; ++o) {
    const Layout layout = layout_of(bound.rule, bound.rule.outputs[o], true, cuts, mesh);
    const Box box = local_box(bound.shapes[o], layout, mesh, rank);
    const std::size_t copies = layout.partial() ? result.roots.size() : 1;
    result.boxes.push_back(box);
    result.outputs.emplace_back(byte_count(box.extent, bound.dtypes[o]) * copies + kGuard,
                                std::byte{0xA5});
  }
  for (std::size_t o = 0; o < call.outputs; ++o) {
    const View view{result.outputs[o].data(), bound.dtypes[o], result.boxes[o].extent};
    out.push_back({view, result.boxes[o], bound.shapes[o]});
  }
  operator_table().at(call.op).run({bound.node, in, out, kernels::Family::eigen, false});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].bytes, before[i].bytes) << "an input was written to";
  }
  for (auto& bytes : result.outputs) {
    for (std::size_t g = bytes.size() - kGuard; g < bytes.size(); ++g) {
      EXPECT_EQ(bytes[g], std::byte{0xA5}) << "written behind an output of rank " << rank;
    }
    bytes.resize(bytes.size() - kGuard);
  }
  return result;
}

// All ranks' roots of output `o`, added along the tree.
std::vector<std::byte> add_roots(const std::vector<RankRun>& ranks, std::size_t o, const Box& box) {
  std::vector<Range> roots;
  std::vector<const float*> values;
  const std::int64_t count = element_count(box.extent);
  for (const RankRun& rank : ranks) {
    EXPECT_EQ(rank.boxes[o], box);
    for (std::size_t r = 0; r < rank.roots.size(); ++r) {
      roots.push_back(rank.roots[r]);
      values.push_back(reinterpret_cast<const float*>(rank.outputs[o].data()) +
                       static_cast<std::int64_t>(r) * count);
    }
  }
  std::vector<std::byte> sum(static_cast<std::size_t>(count) * sizeof(float));
  kernels::combine_roots(roots, values, count, reinterpret_cast<float*>(sum.data()));
  return sum;
}

// The ranks that only differ along the axes of the contracted cut give one sum.
void check_cuts(const Call& call, const BoundCall& bound, const std::vector<Array>& expected,
                const std::vector<Cut>& cuts, const Mesh& mesh) {
  const std::string what = text_of(call, bound, cuts, mesh);
  SCOPED_TRACE(what);
  std::vector<RankRun> ranks;
  for (int rank = 0; rank < mesh.size(); ++rank) {
    ranks.push_back(run_rank(call, bound, cuts, mesh, rank));
  }
  for (std::size_t o = 0; o < call.outputs; ++o) {
    const Layout layout = layout_of(bound.rule, bound.rule.outputs[o], true, cuts, mesh);
    Array joined = test::output_memory(bound.dtypes[o], bound.shapes[o]);
    for (int rank = 0; rank < mesh.size(); ++rank) {
      RankRun& mine = ranks[static_cast<std::size_t>(rank)];
      std::vector<std::byte> bytes = mine.outputs[o];
      if (layout.partial()) {
        std::vector<RankRun> group;
        for (int member : mesh.group_of(layout.partial_axes(), rank)) {
          group.push_back(ranks[static_cast<std::size_t>(member)]);
        }
        bytes = add_roots(group, o, mine.boxes[o]);
      }
      // A rank's part is that part of the whole, also where several ranks hold the same.
      EXPECT_EQ(bytes, part_of(expected[o], mine.boxes[o]).bytes)
          << "output " << o << " of rank " << rank;
      Array part{bound.dtypes[o], mine.boxes[o].extent, std::move(bytes), true, false};
      copy_common({part.view(), mine.boxes[o], bound.shapes[o]},
                  {joined.view(), whole_box(bound.shapes[o]), bound.shapes[o]});
    }
    EXPECT_EQ(joined.bytes, expected[o].bytes) << "output " << o << " joined";
  }
}

std::vector<int> cuttable_factors(const BoundCall& bound) {
  std::vector<int> factors;
  for (std::size_t f = 0; f < bound.rule.factors.size(); ++f) {
    if (bound.rule.factors[f].cuttable) factors.push_back(static_cast<int>(f));
  }
  return factors;
}

std::vector<bool> divisions_of(const BoundCall& bound, int factor) {
  // A sum is only ever cut at its leaves; anything else may be cut evenly or there.
  if (bound.rule.factors[static_cast<std::size_t>(factor)].contracted) return {true};
  return {false, true};
}

TEST(Honesty, PiecesJoinedAreTheWhole) {
  std::map<std::string, int> tried;
  for (const Call& call : test::samples()) {
    const BoundCall bound = test::bind(call);
    const std::vector<Array> expected = test::run(call);
    const std::vector<int> factors = cuttable_factors(bound);
    for (int f : factors) {
      for (int parts : {2, 3}) {
        for (bool by_leaf : divisions_of(bound, f)) {
          check_cuts(call, bound, expected, {{f, {0}, by_leaf}}, {{{"tp", parts}}});
          ++tried[call.op];
        }
      }
    }
    // Two factors at once, and one factor over two axes.
    for (int f : factors) {
      for (int g : factors) {
        const bool f_leaf = divisions_of(bound, f).back(), g_leaf = divisions_of(bound, g).front();
        const Mesh mesh{{{"a", 2}, {"b", 3}}};
        if (f == g) {
          check_cuts(call, bound, expected, {{f, {0, 1}, f_leaf}}, mesh);
        } else {
          check_cuts(call, bound, expected, {{f, {0}, f_leaf}, {g, {1}, g_leaf}}, mesh);
        }
      }
    }
  }
  for (const auto& [name, op] : operator_table()) {
    EXPECT_GT(tried[name], 0) << name << ": nothing of its samples could be cut";
  }
}

// More parts than elements: ranks with empty pieces compute nothing and change nothing.
TEST(Honesty, EmptyPieces) {
  for (const Call& call : test::samples()) {
    const BoundCall bound = test::bind(call);
    const std::vector<Array> expected = test::run(call);
    for (int f : cuttable_factors(bound)) {
      if (bound.rule.factors[static_cast<std::size_t>(f)].extent > 20) continue;
      check_cuts(call, bound, expected, {{f, {0}, divisions_of(bound, f).back()}}, {{{"tp", 23}}});
    }
  }
}

TEST(Honesty, EveryOperatorHasSamples) {
  std::map<std::string, int> count;
  for (const Call& call : test::samples()) ++count[call.op];
  for (const auto& [name, op] : operator_table()) {
    EXPECT_GE(count[name], 2) << name << ": add sample calls in tests/runtime/samples.hpp";
  }
}

}  // namespace
}  // namespace tpinfer::runtime
