// A group of ranks and what they do together. Moves bytes; knows nothing of layouts or models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tpinfer::comm {

// What a group's calls have cost this rank so far, sub-groups made by split() included.
struct Counters {
  std::int64_t calls = 0;
  std::int64_t bytes_sent = 0;  // of this rank's data, once for every other rank that receives it
  double seconds = 0;           // inside collectives
  double waiting_seconds = 0;   // of these: waiting for other ranks (see Communicator::counters)
};

// Every member is collective: all ranks of the group call the same members in the same order with
// matching sizes, from the main thread. Concatenated buffers are in rank order, without gaps;
// per-rank sizes may differ and may be 0. Buffers of one call must not overlap. Any size in bytes:
// an implementation cuts what its library cannot move at once. Beats before and after each call.
// Throws Fault::internal when the library underneath fails or the sizes do not fit the group.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;  // of this process in the group (local)
  virtual int size() const = 0;  // of the group (local)

  virtual void barrier() = 0;
  virtual void broadcast(void* data, std::size_t bytes, int root) = 0;

  // The same for a message that may be long in coming, while the root waits for work: the others
  // look for it less and less often, at last every 2 ms, and sleep and beat between. At most 1 MiB.
  // Not part of counters(): nobody is slow here.
  virtual void await_broadcast(void* data, std::size_t bytes, int root) = 0;

  // out = mine of rank 0, mine of rank 1, ...; rank r gives bytes_per_rank[r] bytes.
  //   3 ranks, sizes {2,0,3}: "ab" "" "xyz" -> "abxyz" on each of them
  virtual void all_gather(const void* mine, std::span<const std::size_t> bytes_per_rank,
                          void* out) = 0;

  // The same, but only `root` receives; `out` is not looked at elsewhere.
  virtual void gather(const void* mine, std::span<const std::size_t> bytes_per_rank, void* out,
                      int root) = 0;

  // `send` holds send_bytes[r] bytes for each rank r; `receive` gets receive_bytes[r] from each.
  virtual void all_to_all(const void* send, std::span<const std::size_t> send_bytes, void* receive,
                          std::span<const std::size_t> receive_bytes) = 0;

  // Plain sums in the library's own order: every rank gets the same bits, but which bits depends
  // on the number of ranks. Only for --fast; the default is root_reduce.hpp.
  virtual void all_reduce_sum(float* data, std::int64_t count) = 0;

  // Rank r receives elements [sum of counts before r, + counts[r]) of the sum.
  virtual void reduce_scatter_sum(const float* in, std::span<const std::size_t> counts,
                                  float* out) = 0;

  // Ranks of equal `color` (>= 0) form a group, ordered by `key`, then by rank here.
  virtual std::unique_ptr<Communicator> split(int color, int key) = 0;

  // Waiting is what a call took beyond the fastest call of its kind and size on any rank: whoever
  // comes last does not wait. So it costs two clock readings per call and no extra barrier. All of
  // a barrier but its fastest is waiting, and so is what a busy machine adds to a transfer.
  virtual Counters counters() = 0;
};

}  // namespace tpinfer::comm
