#include <algorithm>
#include <iterator>

#include "kernels/base/error.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/cost.hpp"
#include "shard/plan/planner.hpp"
#include "shard/plan/stages.hpp"

namespace tpinfer::shard {
namespace {

bool has_contraction(const Rule& rule) {
  return std::any_of(rule.factors.begin(), rule.factors.end(),
                     [](const Factor& f) { return f.contracted; });
}

// Every way to give mesh axes to factors: choice[a] is a factor or -1. Only free axes have a
// choice.
std::vector<std::vector<int>> assignments(const Rule& rule, const Mesh& mesh, const Fixed& fixed) {
  std::vector<int> factors{-1};
  for (std::size_t f = 0; f < rule.factors.size(); ++f) {
    if (rule.factors[f].cuttable) factors.push_back(static_cast<int>(f));
  }
  std::vector<std::vector<int>> all{{}};
  for (const MeshAxis& axis : mesh.axes) {
    const bool free = mesh.free(static_cast<int>(&axis - mesh.axes.data()));
    const int forced = axis.name == kDataAxis ? fixed.batch_factor : -1;
    std::vector<std::vector<int>> longer;
    for (const std::vector<int>& choice : all) {
      for (int f : factors) {
        if (free ? axis.size == 1 && f >= 0 : f != forced) continue;
        longer.push_back(choice);
        longer.back().push_back(f);
      }
    }
    all = std::move(longer);
  }
  return all;
}

std::vector<Cut> cuts_of(const std::vector<int>& choice, const Rule& rule, bool by_leaf) {
  std::vector<Cut> cuts;
  for (std::size_t a = 0; a < choice.size(); ++a) {
    if (choice[a] < 0) continue;
    auto same =
        std::find_if(cuts.begin(), cuts.end(), [&](const Cut& c) { return c.factor == choice[a]; });
    if (same == cuts.end()) {
      const bool sum = rule.factors[static_cast<std::size_t>(choice[a])].contracted;
      cuts.push_back({choice[a], {}, sum || by_leaf});
      same = cuts.end() - 1;
    }
    same->axes.push_back(static_cast<int>(a));
  }
  return cuts;
}

// Whether cutting at leaves differs from cutting evenly for any of the cuts.
bool leaves_matter(const std::vector<Cut>& cuts, const Rule& rule, const Mesh& mesh) {
  for (const Cut& c : cuts) {
    const Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
    if (factor.contracted) continue;
    for (int r : mesh.group_of(c.axes, 0)) {
      if (divide(factor.extent, mesh, c.axes, r, {1, true}) !=
          divide(factor.extent, mesh, c.axes, r, {1, false})) {
        return true;
      }
    }
  }
  return false;
}

// Weights of matrix products are what tensor parallelism shares out: every one over all free axes.
// The bytes of weights that the rank with the most would hold.
std::int64_t largest_share(const BoundGraph& graph, const BoundNode& bound,
                           const std::vector<Cut>& cuts, const Mesh& mesh) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    if (bound.node.inputs[i].empty()) continue;
    const Tensor& tensor = graph.tensor(bound.node.inputs[i]);
    if (!tensor.weight) continue;
    const Layout layout = layout_of(bound.rule, bound.rule.inputs[i], false, cuts, mesh);
    bytes +=
        largest_part(tensor.shape, layout, mesh) * static_cast<std::int64_t>(size_of(tensor.dtype));
  }
  return bytes;
}

bool cuts_every_weight(const BoundGraph& graph, const BoundNode& bound,
                       const std::vector<Cut>& cuts, const Mesh& mesh) {
  for (std::size_t i = 0; i < bound.node.inputs.size(); ++i) {
    if (bound.node.inputs[i].empty() || !graph.tensor(bound.node.inputs[i]).weight) continue;
    const Layout layout = layout_of(bound.rule, bound.rule.inputs[i], false, cuts, mesh);
    for (std::size_t a = 0; a < mesh.axes.size(); ++a) {
      if (mesh.axes[a].size > 1 && mesh.free(static_cast<int>(a)) &&
          layout.placements[a].kind != Placement::Kind::shard)
        return false;
    }
  }
  return true;
}

}  // namespace

namespace {

// A strategy file for one stage says 0 everywhere, which asks for nothing.
std::map<std::string, int> asked_stages(std::map<std::string, int> stages, const BoundGraph& graph,
                                        const std::vector<std::optional<FactorCuts>>& demands) {
  const bool asked = std::any_of(demands.begin(), demands.end(), [](const auto& demand) {
    return demand && demand->stage.value_or(0) != 0;
  });
  for (std::size_t n = 0; asked && n < demands.size(); ++n) {
    if (demands[n] && demands[n]->stage) stages[graph.nodes[n].node.name] = *demands[n]->stage;
  }
  return stages;
}

}  // namespace

std::vector<Fixed> fixed_by_mesh(const BoundGraph& graph, const Mesh& mesh,
                                 const PlanOptions& options,
                                 const std::vector<std::optional<FactorCuts>>& demands) {
  std::vector<Fixed> fixed(graph.nodes.size());
  const int pp = mesh.axis(kPipelineAxis);
  const int count = pp < 0 ? 1 : mesh.axes[static_cast<std::size_t>(pp)].size;
  const std::vector<int> stages =
      assign_stages(graph, count, asked_stages(options.stages, graph, demands), options.costs);
  for (std::size_t n = 0; n < fixed.size(); ++n) fixed[n].stage = stages[n];
  if (mesh.axis(kDataAxis) < 0) return fixed;
  const std::vector<int> factors = batch_factors(graph, options.batch_inputs);
  for (std::size_t n = 0; n < fixed.size(); ++n) fixed[n].batch_factor = factors[n];
  // A single row is nobody's mistake: it is computed by all.
  const bool rows =
      std::any_of(options.batch_inputs.begin(), options.batch_inputs.end(),
                  [&](const std::string& input) { return graph.tensor(input).shape[0] > 1; });
  const bool none = std::all_of(factors.begin(), factors.end(), [](int f) { return f < 0; });
  if (none && (rows || options.batch_inputs.empty())) {
    fail(Fault::usage, "--mesh dp: no operator has rows of a batch to cut; use tp");
  }
  return fixed;
}

std::vector<Decision> resolutions_of(const BoundGraph& graph, const BoundNode& bound,
                                     const std::vector<Cut>& cuts, const Mesh& mesh, int stage) {
  std::vector<Decision> decisions{{cuts, {}, {}, stage}};
  const Layout layout = layout_of(bound.rule, bound.rule.outputs[0], true, cuts, mesh);
  const std::vector<int> axes = layout.partial_axes();
  if (axes.empty()) return decisions;
  const Shape& shape = graph.tensor(bound.node.outputs[0]).shape;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 2 || !layout.axes_of(static_cast<int>(d)).empty()) continue;
    Layout even = layout, leaves = layout;
    cut(even, mesh, shape, static_cast<int>(d), axes, {1, false});
    cut(leaves, mesh, shape, static_cast<int>(d), axes, {1, true});
    for (const Layout* scattered : {&even, &leaves}) {
      Decision decision{cuts, std::vector<Placement>(mesh.axes.size()), scattered->divisions[d],
                        stage};
      for (int a : axes) {
        decision.resolution[static_cast<std::size_t>(a)] = {Placement::Kind::shard,
                                                            static_cast<int>(d)};
      }
      if (decision != decisions.back()) decisions.push_back(std::move(decision));
    }
  }
  return decisions;
}

std::vector<Decision> demanded_decisions(const BoundGraph& graph, const BoundNode& bound,
                                         const Mesh& mesh, const FactorCuts& demand, bool uneven,
                                         const Fixed& fixed) {
  std::vector<Cut> cuts = cuts_on(mesh, demand, bound.rule, fixed.batch_factor);
  std::vector<Decision> decisions = resolutions_of(graph, bound, cuts, mesh, fixed.stage);
  if (!uneven || !leaves_matter(cuts, bound.rule, mesh)) return decisions;
  for (Cut& c : cuts) c.by_leaf = true;
  std::vector<Decision> at_leaves = resolutions_of(graph, bound, cuts, mesh, fixed.stage);
  std::move(at_leaves.begin(), at_leaves.end(), std::back_inserter(decisions));
  return decisions;
}

std::vector<Decision> candidates_of(const BoundGraph& graph, const BoundNode& bound,
                                    const Mesh& mesh, bool fastest, const Fixed& fixed) {
  // Where a dimension has far fewer units than ranks (8 heads or 16 leaves on 64 ranks), cutting it
  // leaves most ranks without a part: only what comes near the smallest share counts as cut.
  constexpr std::int64_t kNear = 2;
  std::vector<Decision> all, cut_weights;
  std::vector<std::int64_t> shares_of_weights;
  for (const std::vector<int>& choice : assignments(bound.rule, mesh, fixed)) {
    std::vector<std::vector<Cut>> variants{cuts_of(choice, bound.rule, false)};
    if (leaves_matter(variants[0], bound.rule, mesh)) {
      variants.push_back(cuts_of(choice, bound.rule, true));
    }
    for (const std::vector<Cut>& cuts : variants) {
      const bool shares =
          has_contraction(bound.rule) && cuts_every_weight(graph, bound, cuts, mesh);
      for (Decision& decision : resolutions_of(graph, bound, cuts, mesh, fixed.stage)) {
        if (shares) {
          cut_weights.push_back(decision);
          shares_of_weights.push_back(largest_share(graph, bound, cuts, mesh));
        }
        all.push_back(std::move(decision));
      }
    }
  }
  if (fastest || cut_weights.empty()) return all;
  const std::int64_t least = *std::min_element(shares_of_weights.begin(), shares_of_weights.end());
  std::vector<Decision> balanced;
  for (std::size_t d = 0; d < cut_weights.size(); ++d) {
    if (shares_of_weights[d] <= kNear * least) balanced.push_back(std::move(cut_weights[d]));
  }
  return balanced;
}

}  // namespace tpinfer::shard
