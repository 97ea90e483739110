#include "comm/mpi/communicator.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "comm/activity.hpp"
#include "comm/fault.hpp"
#include "comm/mpi/check.hpp"
#include "comm/mpi/large.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm {
namespace {

using Sizes = std::span<const std::size_t>;
using Clock = std::chrono::steady_clock;

std::size_t sum(Sizes sizes) { return std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}); }

// Around every collective: marks the rank as waiting, and meters the call when it returns.
class Timed {
 public:
  Timed(Meter& meter, const char* name, Call call, std::size_t bytes, std::size_t sent)
      : meter_(meter), call_(call), bytes_(bytes), sent_(sent), waiting_(name) {
    fault_site("collective");
    start_ = Clock::now();
  }
  ~Timed() {
    const std::chrono::duration<double> seconds = Clock::now() - start_;
    meter_.add(call_, bytes_, sent_, seconds.count());
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  Meter& meter_;
  Call call_;
  std::size_t bytes_, sent_;
  Waiting waiting_;
  Clock::time_point start_;
};

// int counts and displacements of v-collectives, whose sums have been found to fit.
struct Layout {
  std::vector<int> counts, offsets;

  template <typename Keep>
  void set(Sizes sizes, const Keep& keep, bool close_up) {
    counts.clear();
    offsets.clear();
    std::size_t offset = 0;
    for (const std::size_t size : sizes) {
      counts.push_back(keep(size) ? static_cast<int>(size) : 0);
      offsets.push_back(static_cast<int>(offset));
      if (keep(size) || !close_up) offset += size;
    }
  }
  void set(Sizes sizes) {
    set(
        sizes, [](std::size_t) { return true; }, false);
  }
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(int handle, bool owned, std::size_t chunk, std::shared_ptr<Meter> meter)
      : handle_(handle),
        comm_(MPI_Comm_f2c(handle)),
        owned_(owned),
        chunk_(chunk),
        meter_(std::move(meter)) {
    check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  }
  ~MpiCommunicator() override {
    int ended = 0;
    MPI_Finalized(&ended);
    if (owned_ && !ended) MPI_Comm_free(&comm_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void barrier() override {
    const Timed timed(*meter_, "barrier", Call::barrier, 0, 0);
    check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
  }

  void broadcast(void* data, std::size_t bytes, int root) override {
    const std::size_t sent = rank_ == root ? bytes * others() : 0;
    const Timed timed(*meter_, "broadcast", Call::broadcast, bytes, sent);
    large::broadcast(handle_, data, bytes, root, chunk_);
  }

  void await_broadcast(void* data, std::size_t bytes, int root) override {
    constexpr std::size_t kMost = std::size_t{1} << 20;
    if (bytes > kMost) fail(Fault::internal, "too long a message to be awaited");
    constexpr std::chrono::microseconds kEager{200}, kLongest{2000};
    const Waiting waiting("the next request");
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(data, static_cast<int>(bytes), MPI_BYTE, root, comm_, &request),
              "MPI_Ibcast");
    const Clock::time_point start = Clock::now();
    for (int done = 0;;) {
      check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (done) return;
      beat();
      const auto waited =
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
      if (waited < kEager) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::min(kLongest, waited / 8));
      }
    }
  }

  void all_gather(const void* mine, Sizes bytes, void* out) override {
    expect_sizes(bytes, "all-gather");
    const std::size_t total = sum(bytes), own = bytes[index()];
    const Timed timed(*meter_, "all-gather", Call::all_gather, total, own * others());
    if (total > chunk_) {
      large::all_gather(handle_, mine, bytes, out, chunk_);
    } else if (std::all_of(bytes.begin(), bytes.end(), [&](std::size_t b) { return b == own; })) {
      const int count = static_cast<int>(own);
      check_mpi(MPI_Allgather(mine, count, MPI_BYTE, out, count, MPI_BYTE, comm_), "MPI_Allgather");
    } else {
      receive_.set(bytes);
      check_mpi(MPI_Allgatherv(mine, static_cast<int>(own), MPI_BYTE, out, receive_.counts.data(),
                               receive_.offsets.data(), MPI_BYTE, comm_),
                "MPI_Allgatherv");
    }
  }

  void gather(const void* mine, Sizes bytes, void* out, int root) override {
    expect_sizes(bytes, "gather");
    const std::size_t total = sum(bytes), own = bytes[index()];
    const Timed timed(*meter_, "gather", Call::gather, total, rank_ == root ? 0 : own);
    if (total > chunk_) {
      large::gather(handle_, mine, bytes, out, root, chunk_);
      return;
    }
    receive_.set(bytes);
    check_mpi(MPI_Gatherv(mine, static_cast<int>(own), MPI_BYTE, out, receive_.counts.data(),
                          receive_.offsets.data(), MPI_BYTE, root, comm_),
              "MPI_Gatherv");
  }

  void all_to_all(const void* send, Sizes send_bytes, void* receive, Sizes receive_bytes) override {
    expect_sizes(send_bytes, "all-to-all");
    expect_sizes(receive_bytes, "all-to-all");
    const std::size_t total = sum(send_bytes);
    const Timed timed(*meter_, "all-to-all", Call::all_to_all, total, total - send_bytes[index()]);
    const auto* from = static_cast<const std::byte*>(send);
    auto* to = static_cast<std::byte*>(receive);
    // Only a pair knows its size, so each pair decides for itself: all ranks call MPI_Alltoallv for
    // the pairs that are small (together at most a chunk), and large pairs follow one by one.
    const std::size_t small = chunk_ / static_cast<std::size_t>(size_);
    all_to_all_small(from, send_bytes, to, receive_bytes, small);
    large::exchange(handle_, from, send_bytes, to, receive_bytes, small, chunk_);
  }

  void all_reduce_sum(float* data, std::int64_t count) override {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
    const std::size_t sent = 2 * bytes * others() / ranks();  // the least that any algorithm moves
    const Timed timed(*meter_, "all-reduce", Call::all_reduce, bytes, sent);
    large::all_reduce_sum(handle_, data, count, chunk_);
  }

  void reduce_scatter_sum(const float* in, Sizes counts, float* out) override {
    expect_sizes(counts, "reduce-scatter");
    const std::size_t bytes = sum(counts) * sizeof(float);
    const Timed timed(*meter_, "reduce-scatter", Call::reduce_scatter, bytes,
                      bytes - counts[index()] * sizeof(float));
    if (bytes > chunk_) {
      large::reduce_scatter_sum(handle_, in, counts, out, chunk_);
      return;
    }
    receive_.set(counts);
    check_mpi(MPI_Reduce_scatter(in, out, receive_.counts.data(), MPI_FLOAT, MPI_SUM, comm_),
              "MPI_Reduce_scatter");
  }

  std::unique_ptr<Communicator> split(int color, int key) override {
    const Waiting waiting("split");
    if (color < 0) fail(Fault::internal, fmt::format("split: color {} is negative", color));
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(comm_, color, key, &part), "MPI_Comm_split");
    return mpi_communicator(MPI_Comm_c2f(part), true, chunk_, meter_);
  }

  Counters counters() override {
    const Waiting waiting("counters");
    std::vector<double> fastest(meter_->fastest().begin(), meter_->fastest().end());
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, fastest.data(), static_cast<int>(fastest.size()),
                            MPI_DOUBLE, MPI_MIN, comm_),
              "MPI_Allreduce");
    return meter_->counters(fastest);
  }

 private:
  std::size_t index() const { return static_cast<std::size_t>(rank_); }
  std::size_t ranks() const { return static_cast<std::size_t>(size_); }
  std::size_t others() const { return ranks() - 1; }

  void expect_sizes(Sizes sizes, const char* call) const {
    if (sizes.size() != ranks()) {
      fail(Fault::internal,
           fmt::format("{}: {} sizes for a group of {}", call, sizes.size(), size_));
    }
  }

  // The pairs of at most `small` bytes. They lie between the large ones, whose offsets may leave
  // int: then they are moved through a buffer where they lie side by side.
  void all_to_all_small(const std::byte* send, Sizes send_bytes, std::byte* receive,
                        Sizes receive_bytes, std::size_t small) {
    const auto keep = [&](std::size_t bytes) { return bytes <= small; };
    const bool far = std::max(sum(send_bytes), sum(receive_bytes)) > chunk_;
    send_.set(send_bytes, keep, far);
    receive_.set(receive_bytes, keep, far);
    std::vector<std::byte> out, in;
    if (far) {
      const std::byte* from = send;
      for (const std::size_t bytes : send_bytes) {
        if (keep(bytes)) out.insert(out.end(), from, from + bytes);
        from += bytes;
      }
      in.resize(static_cast<std::size_t>(
          std::accumulate(receive_.counts.begin(), receive_.counts.end(), std::int64_t{0})));
    }
    check_mpi(MPI_Alltoallv(far ? out.data() : send, send_.counts.data(), send_.offsets.data(),
                            MPI_BYTE, far ? in.data() : receive, receive_.counts.data(),
                            receive_.offsets.data(), MPI_BYTE, comm_),
              "MPI_Alltoallv");
    const std::byte* from = in.data();
    for (std::size_t r = 0; far && r < receive_bytes.size(); ++r) {
      const std::size_t bytes = keep(receive_bytes[r]) ? receive_bytes[r] : 0;
      std::copy(from, from + bytes, receive);
      from += bytes;
      receive += receive_bytes[r];
    }
  }

  int handle_;
  MPI_Comm comm_;
  bool owned_;
  std::size_t chunk_;
  std::shared_ptr<Meter> meter_;
  int rank_ = 0;
  int size_ = 1;
  Layout send_, receive_;  // kept, so that the hot loop does not allocate
};

}  // namespace

std::unique_ptr<Communicator> mpi_communicator(int fortran_handle, bool owned, std::size_t chunk,
                                               std::shared_ptr<Meter> meter) {
  return std::make_unique<MpiCommunicator>(fortran_handle, owned, chunk, std::move(meter));
}

}  // namespace tpinfer::comm
