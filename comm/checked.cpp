#include "comm/checked.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

using Sizes = std::span<const std::size_t>;

constexpr std::array<const char*, 9> kNames = {"barrier",        "broadcast",  "all-gather",
                                               "gather",         "all-to-all", "all-reduce",
                                               "reduce-scatter", "split",      "counters"};
enum Kind : std::int32_t {
  kBarrier,
  kBroadcast,
  kAllGather,
  kGather,
  kAllToAll,
  kAllReduce,
  kReduceScatter,
  kSplit,
  kCounters
};

struct Record {
  std::int64_t number = 0;
  Kind kind = kBarrier;
  std::int32_t root = -1;
  std::int64_t bytes = -1;  // or elements; -1: may differ
  bool operator==(const Record&) const = default;
};

std::string text_of(const Record& record) {
  std::string text = kNames.at(static_cast<std::size_t>(record.kind));
  if (record.root >= 0) text += fmt::format(" from or to rank {}", record.root);
  if (record.bytes >= 0) text += fmt::format(" of size {}", record.bytes);
  return fmt::format("{} (call {})", text, record.number);
}

std::int64_t sum(Sizes sizes) {
  std::int64_t total = 0;
  for (const std::size_t size : sizes) total += static_cast<std::int64_t>(size);
  return total;
}

class Checked final : public Communicator {
 public:
  explicit Checked(std::unique_ptr<Communicator> inner)
      : inner_(std::move(inner)),
        record_bytes_(static_cast<std::size_t>(inner_->size()), sizeof(Record)),
        records_(static_cast<std::size_t>(inner_->size())) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }

  void barrier() override {
    check(kBarrier);
    inner_->barrier();
  }
  void broadcast(void* data, std::size_t bytes, int root) override {
    check(kBroadcast, root, static_cast<std::int64_t>(bytes));
    inner_->broadcast(data, bytes, root);
  }
  // Unchecked: a check would make the others wait at full speed.
  void await_broadcast(void* data, std::size_t bytes, int root) override {
    inner_->await_broadcast(data, bytes, root);
  }
  void all_gather(const void* mine, Sizes bytes, void* out) override {
    check(kAllGather, -1, sum(bytes));
    inner_->all_gather(mine, bytes, out);
  }
  void gather(const void* mine, Sizes bytes, void* out, int root) override {
    check(kGather, root, sum(bytes));
    inner_->gather(mine, bytes, out, root);
  }
  void all_to_all(const void* send, Sizes send_bytes, void* receive, Sizes receive_bytes) override {
    check(kAllToAll);
    inner_->all_to_all(send, send_bytes, receive, receive_bytes);
  }
  void all_reduce_sum(float* data, std::int64_t count) override {
    check(kAllReduce, -1, count);
    inner_->all_reduce_sum(data, count);
  }
  void reduce_scatter_sum(const float* in, Sizes counts, float* out) override {
    check(kReduceScatter, -1, sum(counts));
    inner_->reduce_scatter_sum(in, counts, out);
  }
  std::unique_ptr<Communicator> split(int color, int key) override {
    check(kSplit);
    return std::make_unique<Checked>(inner_->split(color, key));
  }
  Counters counters() override {
    check(kCounters);
    return inner_->counters();
  }

 private:
  void check(Kind kind, int root = -1, std::int64_t bytes = -1) {
    const Record mine{++number_, kind, root, bytes};
    inner_->all_gather(&mine, record_bytes_, records_.data());
    for (std::size_t r = 1; r < records_.size(); ++r) {
      if (records_[r] == records_[0]) continue;
      if (rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(1));
      fail(Fault::internal, fmt::format("ranks call different collectives: rank 0 {}, rank {} {}",
                                        text_of(records_[0]), r, text_of(records_[r])));
    }
  }

  std::unique_ptr<Communicator> inner_;
  std::vector<std::size_t> record_bytes_;
  std::vector<Record> records_;
  std::int64_t number_ = 0;
};

}  // namespace

bool calls_are_checked() {
  const char* value = std::getenv("TPINFER_CHECK_CALLS");
  return value != nullptr && std::string_view(value) == "1";
}

std::unique_ptr<Communicator> checked(std::unique_ptr<Communicator> inner) {
  return std::make_unique<Checked>(std::move(inner));
}

}  // namespace tpinfer::comm
