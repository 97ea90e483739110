// What the planner's search moves between: layouts, the layouts a tensor exists in, and what a
// decision wants, makes and costs. All of it is worked out once and then known by number.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shard/plan/planner.hpp"

namespace tpinfer::shard {

// What a decision does, whatever the state. Pairs are (slot of the node, layout).
struct Effect {
  double cost = 0;                           // computing, and adding a pending sum
  std::vector<std::pair<int, int>> wants;    // inputs that are no weights
  std::vector<std::pair<int, int>> makes;    // outputs
  std::vector<std::pair<int, int>> weights;  // inputs that are loaded
};

struct Choices {
  std::vector<Decision> decisions;
  std::vector<Effect> effects;  // per decision
};

class Moves {
 public:
  // All outlive this. `demands`: strategies, per node.
  Moves(const BoundGraph& graph, const Mesh& mesh, const PlanOptions& options,
        const std::vector<std::optional<FactorCuts>>& demands);

  const BoundGraph& graph() const { return graph_; }
  const std::vector<Fixed>& fixed() const { return fixed_; }

  // What a node may do; `fastest` lifts --plan cut. Nodes that look alike share it.
  const Choices& choices(std::size_t node, bool fastest);
  bool demanded(std::size_t node) const { return demands_[node].has_value(); }

  int layout_id(const Layout& layout);
  // The same ranks hold it whole.
  int whole(int layout);

  // The layouts that a tensor exists in: the one it was made in, and others since. lay_out takes a
  // narrowing from any of them, else resharding from the first.
  int holding(int made_in);
  int with(int holding, int layout);
  int made_in(int holding) const { return holdings_[static_cast<std::size_t>(holding)].first; }

  // Tensors of one shape and type are one class.
  int class_of(const std::string& tensor);
  // What it costs to have a tensor in a layout when it exists in `holding`.
  double price(int tensor_class, int holding, int layout);
  // Whole on every rank, as graph inputs are.
  int everywhere(int tensor_class);
  // Whether `a` has all the layouts that `b` has.
  bool includes(int a, int b) const;
  // Bytes of the largest part.
  std::int64_t bytes(int tensor_class, int layout);

 private:
  using Held = std::pair<int, std::set<int>>;  // made in; all the layouts
  struct Way {
    double cost = 0;
    bool narrow = false;
  };

  const Layout& layout(int id) const { return layouts_[static_cast<std::size_t>(id)]; }
  std::vector<Decision> decisions_of(std::size_t node, bool fastest) const;
  Effect effect_of(const BoundNode& bound, const Decision& decision);
  const Way& way(int tensor_class, int from, int to);
  std::vector<std::int64_t> signature(std::size_t node, bool fastest) const;

  const BoundGraph& graph_;
  const Mesh& mesh_;
  const PlanOptions& options_;
  const std::vector<std::optional<FactorCuts>>& demands_;
  const std::vector<Fixed> fixed_;
  std::map<std::vector<std::int64_t>, std::unique_ptr<Choices>> alike_;
  std::vector<const Choices*> choices_[2];  // per node
  std::vector<Layout> layouts_;
  std::vector<int> whole_;  // per layout, -1 = not worked out
  std::vector<Held> holdings_;
  std::map<Held, int> holding_ids_;
  std::unordered_map<std::uint64_t, int> with_;
  std::vector<const Tensor*> classes_;  // one tensor of each
  std::map<std::pair<Shape, DType>, int> class_ids_;
  std::unordered_map<std::uint64_t, Way> ways_;
  std::unordered_map<std::uint64_t, double> prices_;
  std::unordered_map<std::uint64_t, std::int64_t> bytes_;
};

}  // namespace tpinfer::shard
