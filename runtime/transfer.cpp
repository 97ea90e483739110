#include "runtime/transfer.hpp"

#include <algorithm>

#include "comm/root_reduce.hpp"
#include "kernels/math/combine.hpp"

namespace tpinfer::runtime {
namespace {

using Kind = shard::PlanStep::Kind;

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

Transfer::Transfer(const shard::Plan& plan, const shard::PlanStep& step, int rank,
                   comm::Communicator& group, std::vector<std::vector<Range>> roots, bool fast)
    : kind_(step.kind), group_(group), fast_(fast), roots_(std::move(roots)) {
  const shard::Value& from = plan.values[static_cast<std::size_t>(step.inputs[0])];
  const shard::Value& to = plan.values[static_cast<std::size_t>(step.outputs[0])];
  dtype_ = from.dtype;
  global_ = from.shape;
  auto before = [&](int r) { return shard::local_box(global_, from.layout, plan.mesh, r); };
  auto after = [&](int r) { return shard::local_box(global_, to.layout, plan.mesh, r); };
  mine_before_ = before(rank);
  mine_after_ = after(rank);
  const std::size_t item = size_of(dtype_);
  for (const auto& list : roots_) {
    root_counts_.push_back(static_cast<int>(list.size()));
    all_roots_.insert(all_roots_.end(), list.begin(), list.end());
  }
  const std::vector<int> members = shard::members_of(plan, step, rank);
  std::int64_t next = 0;  // gathered so far, in the order of the result's elements
  const Shape strides = strides_of(mine_after_.extent);
  in_order_ = true;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const int other = members[i];
    const Box send = intersect(mine_before_, after(other));
    const Box receive = intersect(before(other), mine_after_);
    const bool gives =
        shard::serves(plan, step, rank, other) && shard::holds(to.layout, plan.mesh, other);
    const bool takes =
        shard::serves(plan, step, other, rank) && shard::holds(to.layout, plan.mesh, rank);
    const std::int64_t sent = gives ? element_count(send.extent) : 0;
    const std::int64_t count = takes ? element_count(receive.extent) : 0;
    const bool reduces = kind_ == Kind::all_reduce || kind_ == Kind::reduce_scatter;
    const std::size_t sends =
        reduces && !fast ? roots_[static_cast<std::size_t>(group.rank())].size() : 1;
    const std::size_t gets = reduces && !fast ? roots_[i].size() : 1;
    send_bytes_.push_back(static_cast<std::size_t>(sent) * item * sends);
    receive_bytes_.push_back(static_cast<std::size_t>(count) * item * gets);
    std::int64_t start = 0;
    for (std::size_t d = 0; d < strides.size(); ++d) {
      start += (receive.offset[d] - mine_after_.offset[d]) * strides[d];
    }
    bool run = true;  // the part is one run of the result: whole behind its first long dimension
    bool long_seen = false;
    for (std::size_t d = 0; d < strides.size(); ++d) {
      if (long_seen && receive.extent[d] != mine_after_.extent[d]) run = false;
      long_seen = long_seen || receive.extent[d] > 1;
    }
    in_order_ = in_order_ && (count == 0 || (run && start == next));
    next += count;
    sent_ += send_bytes_.back();
    received_ += receive_bytes_.back();
    send_boxes_.push_back(send);
    receive_boxes_.push_back(receive);
  }
  const auto result = static_cast<std::size_t>(element_count(mine_after_.extent)) * item;
  switch (kind_) {
    case Kind::all_gather:
      scratch_bytes_ = in_order_ ? 0 : received_;
      break;
    case Kind::all_reduce:
      scratch_bytes_ = fast ? 0
                            : comm::all_reduce_scratch_bytes(group, root_counts_,
                                                             element_count(mine_after_.extent));
      break;
    case Kind::reduce_scatter:
      scratch_bytes_ = aligned(sent_) + aligned(received_) + result;
      break;
    default:
      scratch_bytes_ = aligned(sent_) + received_;
      break;
  }
}

void Transfer::run(const void* from, void* to, std::span<std::byte> scratch) const {
  switch (kind_) {
    case Kind::all_gather:
      return gather(from, to, scratch);
    case Kind::all_to_all:
    case Kind::send:
      return exchange(from, to, scratch);
    case Kind::all_reduce:
      return reduce(from, to, scratch);
    case Kind::reduce_scatter:
      return scatter_sums(from, to, scratch);
    case Kind::narrow:
      return copy_common(
          {{const_cast<void*>(from), dtype_, mine_before_.extent}, mine_before_, global_},
          {{to, dtype_, mine_after_.extent}, mine_after_, global_});
    case Kind::compute:
      return;
  }
}

void Transfer::gather(const void* from, void* to, std::span<std::byte> scratch) const {
  void* out = in_order_ ? to : scratch.data();
  group_.all_gather(from, receive_bytes_, out);
  if (in_order_) return;
  const Piece whole{{to, dtype_, mine_after_.extent}, mine_after_, global_};
  std::byte* part = scratch.data();
  for (std::size_t i = 0; i < receive_boxes_.size(); ++i) {
    if (receive_bytes_[i] == 0) continue;
    copy_common({{part, dtype_, receive_boxes_[i].extent}, receive_boxes_[i], global_}, whole);
    part += receive_bytes_[i];
  }
}

void Transfer::pack(const void* from, const Box& box, std::byte* out, std::size_t member) const {
  copy_common({{const_cast<void*>(from), dtype_, box.extent}, box, global_},
              {{out, dtype_, send_boxes_[member].extent}, send_boxes_[member], global_});
}

void Transfer::exchange(const void* from, void* to, std::span<std::byte> scratch) const {
  std::byte* send = scratch.data();
  std::byte* receive = send + aligned(sent_);
  std::byte* at = send;
  for (std::size_t i = 0; i < send_boxes_.size(); ++i) {
    if (send_bytes_[i] == 0) continue;
    pack(from, mine_before_, at, i);
    at += send_bytes_[i];
  }
  group_.all_to_all(send, send_bytes_, receive, receive_bytes_);
  const Piece whole{{to, dtype_, mine_after_.extent}, mine_after_, global_};
  for (std::size_t i = 0; i < receive_boxes_.size(); ++i) {
    if (receive_bytes_[i] == 0) continue;
    copy_common({{receive, dtype_, receive_boxes_[i].extent}, receive_boxes_[i], global_}, whole);
    receive += receive_bytes_[i];
  }
}

void Transfer::reduce(const void* from, void* to, std::span<std::byte> scratch) const {
  const std::int64_t elements = element_count(mine_after_.extent);
  auto* out = static_cast<float*>(to);
  if (fast_) {
    std::copy_n(static_cast<const float*>(from), elements, out);
    group_.all_reduce_sum(out, elements);
    return;
  }
  comm::all_reduce(
      group_, static_cast<const float*>(from), root_counts_, elements,
      [this](std::span<const float* const> vectors, std::int64_t count, float* sum) {
        kernels::combine_roots(all_roots_, vectors, count, sum);
      },
      out, scratch);
}

void Transfer::scatter_sums(const void* from, void* to, std::span<std::byte> scratch) const {
  std::byte* send = scratch.data();
  std::byte* receive = send + aligned(sent_);
  const auto own = fast_ ? 1u : roots_[static_cast<std::size_t>(group_.rank())].size();
  const std::size_t vector_bytes =
      static_cast<std::size_t>(element_count(mine_before_.extent)) * size_of(dtype_);
  std::byte* at = send;
  for (std::size_t i = 0; i < send_boxes_.size(); ++i) {
    for (std::size_t r = 0; r < own; ++r) {
      pack(static_cast<const std::byte*>(from) + r * vector_bytes, mine_before_, at, i);
      at += send_bytes_[i] / own;
    }
  }
  auto* out = static_cast<float*>(to);
  if (fast_) {
    std::vector<std::size_t> counts;
    for (std::size_t bytes : send_bytes_) counts.push_back(bytes / sizeof(float));
    group_.reduce_scatter_sum(reinterpret_cast<const float*>(send), counts, out);
    return;
  }
  group_.all_to_all(send, send_bytes_, receive, receive_bytes_);
  const std::int64_t elements = element_count(mine_after_.extent);
  std::vector<const float*> vectors;
  const auto* sums = reinterpret_cast<const float*>(receive);
  for (std::size_t v = 0; v < all_roots_.size(); ++v) {
    vectors.push_back(sums + static_cast<std::int64_t>(v) * elements);
  }
  kernels::combine_roots(all_roots_, vectors, elements, out);
}

}  // namespace tpinfer::runtime
