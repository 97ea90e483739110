#include "comm/single.hpp"

#include <cstring>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

void copy(const void* from, std::size_t bytes, void* to) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

class SingleRank final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }

  void barrier() override { note(1, 0); }
  void broadcast(void*, std::size_t, int root) override { note(1, root); }
  void await_broadcast(void*, std::size_t, int root) override { note(1, root, 0); }

  void all_gather(const void* mine, std::span<const std::size_t> bytes_per_rank,
                  void* out) override {
    note(bytes_per_rank.size(), 0);
    copy(mine, bytes_per_rank[0], out);
  }

  void gather(const void* mine, std::span<const std::size_t> bytes_per_rank, void* out,
              int root) override {
    note(bytes_per_rank.size(), root);
    copy(mine, bytes_per_rank[0], out);
  }

  void all_to_all(const void* send, std::span<const std::size_t> send_bytes, void* receive,
                  std::span<const std::size_t> receive_bytes) override {
    note(send_bytes.size(), 0);
    note(receive_bytes.size(), 0, 0);
    if (send_bytes[0] != receive_bytes[0]) fail(Fault::internal, "all-to-all: sizes differ");
    copy(send, send_bytes[0], receive);
  }

  void all_reduce_sum(float*, std::int64_t) override { note(1, 0); }

  void reduce_scatter_sum(const float* in, std::span<const std::size_t> counts,
                          float* out) override {
    note(counts.size(), 0);
    copy(in, counts[0] * sizeof(float), out);
  }

  std::unique_ptr<Communicator> split(int, int) override {
    note(1, 0);
    return single_rank();
  }

  Counters counters() override { return counters_; }

 private:
  // What every call has in common: its sizes are those of one rank, it counts and beats.
  void note(std::size_t ranks, int root, int calls = 1) {
    if (ranks != 1 || root != 0) {
      fail(Fault::internal, "a collective of one rank was called for more ranks");
    }
    counters_.calls += calls;
    beat();
  }

  Counters counters_;
};

}  // namespace

std::unique_ptr<Communicator> single_rank() { return std::make_unique<SingleRank>(); }

}  // namespace tpinfer::comm
