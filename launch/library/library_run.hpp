// A model of the library at work: what stands behind tpinfer::Model.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tpinfer/tpinfer.hpp>

#include "comm/mpi/session.hpp"
#include "comm/mpi/watchdog.hpp"
#include "launch/library/visit.hpp"
#include "launch/runner.hpp"
#include "launch/story.hpp"
#include "runtime/model.hpp"

namespace tpinfer::launch {

// Members are collective unless they say otherwise, and throw the same error on all ranks; to be
// called within a Visit.
class LibraryRun {
 public:
  LibraryRun(const std::string& path, const Communicator& communicator, const Settings& settings);
  ~LibraryRun();

  void load(const std::map<std::string, std::int64_t>& wanted);
  std::vector<Output> run(const std::vector<Input>& given, InputsOf whose);

  // Local.
  int threads() const { return threads_; }
  int rank() const { return session_->world().rank(); }
  int size() const { return session_->world().size(); }
  const std::vector<ValueInfo>& inputs() const { return inputs_; }
  const std::vector<ValueInfo>& outputs() const { return outputs_; }
  const shard::Symbols& extents() const { return extents_; }
  void set_inside(bool inside);

 private:
  void read_table(const std::string& path);
  shard::Symbols example_extents(const shard::Signature& signature,
                                 const runtime::Model& model) const;
  shard::Symbols agree_on_extents(const std::vector<Input>& given, InputsOf whose,
                                  std::vector<Input>& matched);
  std::vector<Output> copy_outputs();

  Options options_;
  Story story_{false};
  int threads_ = 1;
  std::string table_;  // the model's, as text
  // The watchdog outlives the session.
  std::unique_ptr<Absence> absence_;
  std::unique_ptr<comm::Watchdog> watchdog_;
  std::unique_ptr<comm::Session> session_;
  std::unique_ptr<runtime::Model> model_;
  std::unique_ptr<Runner> runner_;
  shard::Symbols extents_;
  std::vector<ValueInfo> inputs_, outputs_;
};

}  // namespace tpinfer::launch
