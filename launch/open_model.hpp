// From a path to a model that every rank has open.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "runtime/model.hpp"

namespace tpinfer::launch {

// Checks the model file in the preflight helper, before MPI_Init, on the process that the launcher
// calls rank 0. Keeps the outcome, error or table, for open_model().
class EarlyCheck {
 public:
  explicit EarlyCheck(const std::string& path);

  // The table, or what went wrong. Checks now when nobody did before.
  shard::ModelTable table();

 private:
  std::string path_;
  std::function<shard::ModelTable()> outcome_;
};

// Collective. Rank 0's table goes to everyone; each rank opens the file and compares. Throws the
// same error on all ranks.
std::unique_ptr<runtime::Model> open_model(comm::Communicator& world, EarlyCheck& check);

}  // namespace tpinfer::launch
