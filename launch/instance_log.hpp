// --instances: copies of the model as parts of one job's ranks; and --compat-log, which tells their
// story as the messages of a parent and its workers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "launch/options.hpp"
#include "launch/runner.hpp"

namespace tpinfer::launch {

// Throws Fault::usage, with the numbers, when `ranks` ranks cannot be divided among the instances.
void check_instances(const PlanRequest& request, int ranks);

// Throws Fault::usage when the instances cannot have equally many of `rows` rows, unless --uneven
// is given. 0 rows: the graph has no batch symbol, its batch is what the plan says.
void check_instance_rows(const Options& options, const Runner& runner, std::int64_t rows);

// "2 instances of 1 rank; each gets x (1,4) 16 bytes, t () 4 bytes".
std::string instances_text(const Options& options, const Runner& runner, std::int64_t rows);

// The messages that a parent process and its workers would exchange. Rank 0 prints with
// --compat-log, to stdout; every rank counts.
//   Success to build model 0
//   Success to build model 1
//   Total predict time =  0.0123
//   Receive exit message  and start to exit
//   Receive exit message  and start to exit
//   =========== success ===========
class InstanceLog {
 public:
  InstanceLog(const Options& options, comm::Communicator& world);

  // Runs a collective phase that fails on all ranks alike; a failure becomes "Failed to build model
  // 1, exception occur: ...", of the instance whose rank failed; or "Failed to call predict, ...".
  void build(const std::function<void()>& work);
  void predict(const std::function<void()>& work);

  // `seconds`: of all predictions, without building.
  void total(double seconds) const;
  // The outputs have been delivered: all instances end.
  void finish();

  int instances() const { return instances_; }
  std::vector<int> ranks_of(int instance) const;
  int builds() const { return builds_; }
  int predictions() const { return predictions_; }  // asked for
  int replies() const { return replies_; }
  int exits() const { return exits_; }

 private:
  const Options& options_;
  comm::Communicator& world_;
  int instances_;
  int builds_ = 0, predictions_ = 0, replies_ = 0, exits_ = 0;  // of each instance
};

}  // namespace tpinfer::launch
