#include "comm/communicator.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "comm/meter.hpp"
#include "comm/mpi/communicator.hpp"
#include "kernels/base/error.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Sizes = std::vector<std::size_t>;

// Chunks of 64 bytes drive every transfer of these tests through its large path as well.
class Collectives : public testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Communicator> group_ = mpi_communicator(test_session().fortran_world(), false,
                                                          GetParam(), std::make_shared<Meter>());
  const int rank_ = group_->rank();
  const int size_ = group_->size();
  const std::size_t me_ = static_cast<std::size_t>(rank_);
  const std::size_t ranks_ = static_cast<std::size_t>(size_);

  // What rank `from` gives to rank `to` (or to all: to = 0).
  static Bytes message(std::size_t from, std::size_t to, std::size_t bytes) {
    Bytes out(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
      out[i] = static_cast<std::uint8_t>(1 + from * 37 + to * 11 + i * 3);
    }
    return out;
  }
  static void append(Bytes& to, const Bytes& from) {
    to.insert(to.end(), from.begin(), from.end());
  }
};

TEST_P(Collectives, Broadcast) {
  for (const std::size_t bytes : {0, 1, 64, 65, 1000}) {
    for (int root = 0; root < size_; ++root) {
      const Bytes want = message(static_cast<std::size_t>(root), 0, bytes);
      Bytes data = rank_ == root ? want : Bytes(bytes);
      group_->broadcast(data.data(), bytes, root);
      EXPECT_EQ(data, want) << bytes << " bytes from " << root;
    }
  }
}

TEST_P(Collectives, AllGatherAndGather) {
  for (const std::size_t base : {0, 1, 20, 300}) {
    for (const std::size_t slope : {0, 1, 70}) {  // equal and unequal sizes, some ranks with none
      Sizes sizes;
      Bytes want;
      for (std::size_t r = 0; r < ranks_; ++r) {
        sizes.push_back(slope > 0 && r % 2 == 1 ? 0 : base + slope * r);
        append(want, message(r, 0, sizes[r]));
      }
      const Bytes mine = message(me_, 0, sizes[me_]);
      Bytes out(want.size());
      group_->all_gather(mine.data(), sizes, out.data());
      EXPECT_EQ(out, want);
      const int root = size_ - 1;
      Bytes at_root(rank_ == root ? want.size() : 0);
      group_->gather(mine.data(), sizes, at_root.data(), root);
      EXPECT_TRUE(rank_ != root || at_root == want);
    }
  }
}

TEST_P(Collectives, AllToAll) {
  // Small pairs, pairs above a chunk, and none, mixed in one call and not symmetric.
  const auto bytes = [](std::size_t from, std::size_t to) -> std::size_t {
    return (from + 2 * to) % 3 == 0 ? 0 : (from + 2 * to) % 3 == 1 ? 3 + from : 150 + 10 * to;
  };
  Sizes send_sizes, receive_sizes;
  Bytes send, want;
  for (std::size_t r = 0; r < ranks_; ++r) {
    send_sizes.push_back(bytes(me_, r));
    receive_sizes.push_back(bytes(r, me_));
    append(send, message(me_, r, send_sizes[r]));
    append(want, message(r, me_, receive_sizes[r]));
  }
  Bytes receive(want.size());
  group_->all_to_all(send.data(), send_sizes, receive.data(), receive_sizes);
  EXPECT_EQ(receive, want);
}

TEST_P(Collectives, Sums) {
  constexpr std::size_t kCount = 101;  // small integers: exact in any order
  std::vector<float> mine(kCount), want(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    mine[i] = static_cast<float>(i * (me_ + 1));
    want[i] = static_cast<float>(i * ranks_ * (ranks_ + 1) / 2);
  }
  std::vector<float> sum = mine;
  group_->all_reduce_sum(sum.data(), static_cast<std::int64_t>(kCount));
  EXPECT_EQ(sum, want);

  Sizes counts(ranks_, 0);  // rank 0 gets what the others leave, rank 1 gets nothing
  for (std::size_t r = 2; r < ranks_; ++r) counts[r] = 3 * r;
  counts[0] = kCount - std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  const auto begin = want.begin() + std::accumulate(counts.begin(), counts.begin() + rank_, 0);
  std::vector<float> slice(counts[me_]);
  group_->reduce_scatter_sum(mine.data(), counts, slice.data());
  EXPECT_EQ(slice, std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(slice.size())));
}

TEST_P(Collectives, SplitOrdersByKey) {
  const auto part = group_->split(rank_ % 2, -rank_);  // backwards
  const int members = (size_ + (rank_ % 2 == 0 ? 1 : 0)) / 2;
  EXPECT_EQ(part->size(), members);
  EXPECT_EQ(part->rank(), members - 1 - rank_ / 2);
  int from_last = rank_;
  part->broadcast(&from_last, sizeof from_last, 0);
  EXPECT_EQ(from_last, rank_ % 2 + 2 * (members - 1));
  EXPECT_THROW(group_->split(-1, 0), Error);
}

TEST_P(Collectives, CountersHoldForSubgroupsToo) {
  std::vector<int> data(10, rank_);
  group_->broadcast(data.data(), 40, 0);
  const auto part = group_->split(0, rank_);
  part->all_gather(data.data(), Sizes(ranks_, 4), Bytes(4 * ranks_).data());
  part->barrier();
  const Counters counters = group_->counters();
  EXPECT_EQ(counters.calls, 3);
  EXPECT_EQ(counters.bytes_sent, (rank_ == 0 ? 40 * (size_ - 1) : 0) + 4 * (size_ - 1));
  EXPECT_GT(counters.seconds, 0);
  EXPECT_GE(counters.seconds, counters.waiting_seconds);
}

TEST_P(Collectives, WrongSizesThrow) {
  Bytes out(100);
  EXPECT_THROW(group_->all_gather(out.data(), Sizes(ranks_ + 1, 1), out.data()), Error);
}

INSTANTIATE_TEST_SUITE_P(Chunk, Collectives, testing::Values(std::size_t{64}, std::size_t{1} << 30),
                         [](const auto& test) { return "Of" + std::to_string(test.param); });

}  // namespace
}  // namespace tpinfer::comm
