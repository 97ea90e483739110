// From paths to a model that every rank has open.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "launch/options.hpp"
#include "launch/story.hpp"
#include "runtime/model.hpp"

namespace tpinfer::launch {

// Checks the files of the model in the preflight helper, before MPI_Init, on the process that the
// launcher calls rank 0. Keeps the outcome, error or tables, for open_model().
class EarlyCheck {
 public:
  explicit EarlyCheck(const Options& options);

  // A table per file, or what went wrong. Checks now when nobody did before. The methods and
  // pipelines of --pipelines are the first table's, before its own of the same name.
  std::vector<shard::ModelTable> tables();

 private:
  std::vector<shard::ModelTable> check() const;

  std::vector<std::string> models_;
  std::string pipelines_;
  std::function<std::vector<shard::ModelTable>()> outcome_;
};

// Collective. Rank 0's tables go to everyone; each rank opens the files and compares. A weight that
// is equal in two files (name, type, shape, hash) is that of the first. Throws the same error on
// all ranks.
std::unique_ptr<runtime::Model> open_model(comm::Communicator& world, const Options& options,
                                           EarlyCheck& check, Story& story);

}  // namespace tpinfer::launch
