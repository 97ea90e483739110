// Weights that several ranks or instances of a host have alike are in memory once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/mpi/session.hpp"
#include "launch/story.hpp"
#include "runtime/shared_memory.hpp"
#include "runtime/weight_store.hpp"

namespace tpinfer::launch {

// Of the ranks of a host with the same parts of the same weights the first one loads them, into
// memory that the others map; started by tpinfer launch, the first instance to come does so for
// all. What cannot be shared is loaded: sharing never fails a run.
//   4 ranks, dp=2,tp=2:  rank 0 loads for 0 and 2, rank 1 for 1 and 3
class SharedWeights {
 public:
  // Less is not worth a mapping.
  static constexpr std::size_t kLeastBytes = std::size_t{1} << 20;

  // Collective. `identity` says which files the weights come from. `wanted` false: nothing is
  // shared.
  SharedWeights(comm::Session& session, runtime::WeightStore& store, const std::string& identity,
                bool wanted);

  // Bytes that this rank takes by itself: its share of what it has with others.
  std::size_t own_bytes() const {
    return store_.bytes_needed() / static_cast<std::size_t>(sharers_);
  }

  // Fills the allocated store: by `load`, which fills it by itself, or from what another process
  // has filled. Collective; throws the same error on all ranks (phase "load weights").
  void fill(const std::function<void()>& load);

  // Bytes of this rank's weights that another process has filled.
  std::size_t mapped_bytes() const { return mapped_bytes_; }
  // What could not be shared on this rank, and why; "" when nothing.
  const std::string& note() const { return note_; }
  // Copies that this job would hold if nothing were shared, and those that it holds: the number of
  // ranks with weights, and of those among them that do not use another rank's.
  int ranks() const { return ranks_; }
  int copies() const { return copies_; }

 private:
  void load_first(const std::function<void()>& load);
  bool through_launcher(const std::string& path, const std::function<void()>& load);
  void load_for_all(const std::function<void()>& load);
  void use(const std::string& path, const std::function<void()>& load);

  comm::Session& session_;
  comm::Communicator& world_;
  runtime::WeightStore& store_;
  std::string key_;
  bool wanted_;
  int owner_ = 0, sharers_ = 1;
  int ranks_ = 0, copies_ = 0;
  runtime::SharedMemory memory_;
  std::size_t mapped_bytes_ = 0;
  std::string note_;
};

}  // namespace tpinfer::launch
