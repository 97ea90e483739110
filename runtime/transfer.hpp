// One collective step of a plan, prepared for a rank: who sends which box to whom.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "runtime/program.hpp"

namespace tpinfer::runtime {

// Moves a value of the plan from one layout to another inside a group of ranks. Boxes only: it
// knows neither operators nor weights. Prepared once, run many times without allocating.
class Transfer {
 public:
  // `group` is shard::members_of the step, in that order, and outlives this. `roots` describes a
  // pending sum (empty for other steps): the subtrees that each rank of the group holds. Local.
  Transfer(const shard::Plan& plan, const shard::PlanStep& step, int rank,
           comm::Communicator& group, std::vector<std::vector<Range>> roots, bool fast);

  std::size_t scratch_bytes() const { return scratch_bytes_; }

  // Collective over the group. `from` and `to` are the rank's places of the step's values.
  void run(const void* from, void* to, std::span<std::byte> scratch) const;

 private:
  void gather(const void* from, void* to, std::span<std::byte> scratch) const;
  void exchange(const void* from, void* to, std::span<std::byte> scratch) const;
  void reduce(const void* from, void* to, std::span<std::byte> scratch) const;
  void scatter_sums(const void* from, void* to, std::span<std::byte> scratch) const;
  // Copies this rank's parts for every member of the group behind each other.
  void pack(const void* from, const Box& box, std::byte* out, std::size_t member) const;

  shard::PlanStep::Kind kind_;
  comm::Communicator& group_;
  bool fast_;
  DType dtype_;
  Shape global_;
  Box mine_before_, mine_after_;
  std::vector<Box> send_boxes_, receive_boxes_;  // per member of the group
  std::vector<std::size_t> send_bytes_, receive_bytes_;
  std::size_t sent_ = 0, received_ = 0;    // bytes in all
  bool in_order_ = false;                  // gathered parts lie behind each other in the result
  std::vector<std::vector<Range>> roots_;  // per member
  std::vector<int> root_counts_;
  std::vector<Range> all_roots_;  // in rank order
  std::size_t scratch_bytes_ = 0;
};

}  // namespace tpinfer::runtime
