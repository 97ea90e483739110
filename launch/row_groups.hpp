// Inputs that each part of the ranks brings along: x_{rank}.npy on a mesh with a dp axis.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "kernels/base/view.hpp"
#include "shard/plan/mesh_options.hpp"

namespace tpinfer::launch {

// The batch is the rows of all groups behind each other; how many a group brings is its own affair.
//   dp=2, 5 and 3 rows: group 0 brings rows [0,5), group 1 rows [5,8) of a batch of 8
class RowGroups {
 public:
  // Collective. Throws (on all ranks alike) Fault::disagreement when ranks of one group bring
  // different numbers of rows.
  RowGroups(comm::Communicator& world, const shard::MeshOptions& mesh, std::int64_t my_rows);

  std::int64_t all_rows() const { return rows_.back().end; }
  // The rows that this rank's group brings.
  Range mine() const { return rows_[static_cast<std::size_t>(group_)]; }
  // This rank's group, and whether it is the first rank of it.
  int group() const { return group_; }
  bool leads() const { return leader_; }

  // The part of rows [rows.begin, rows.end) that is mine, counted from my first row.
  Range local(Range rows) const;

  // Fills `whole`, the rows [rows.begin, rows.end) of an input, from what all groups bring: `fill`
  // writes this group's part (dense; called when it has rows). Collective. Throws (on all ranks
  // alike) what `fill` throws, and Fault::disagreement when ranks of one group differ; `what` names
  // the input.
  void exchange(const std::string& what, Range rows, const View& whole,
                const std::function<void(const View& part)>& fill);

 private:
  void agree(const std::string& what, const std::string& mine);

  comm::Communicator& world_;
  std::unique_ptr<comm::Communicator> across_;  // one rank of each group
  std::vector<int> groups_;                     // per rank of the world
  std::vector<Range> rows_;                     // per group
  int group_ = 0;
  bool leader_ = false;
};

}  // namespace tpinfer::launch
