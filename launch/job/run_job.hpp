// A run over many rows that may end and go on (--resume): what is whole on disk, and how far.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/view.hpp"
#include "launch/job/facts.hpp"
#include "launch/job/progress_file.hpp"
#include "launch/job/stop_time.hpp"
#include "launch/options.hpp"
#include "shard/arrays/array_writer.hpp"
#include "shard/arrays/output_file.hpp"

namespace tpinfer::launch {

// Rows of the output stand in y.npy.part; y.npy.progress says how many of them are whole, and of
// which model and inputs. Data go to disk first, then the count. Only rank 0 touches files; members
// are local to it unless they say otherwise.
//
//   open, fact... -> keep -> (rows are restored: add_input, check_hash) -> add_input, save... ->
//   finishing -> the writer's finish() -> finished
class RunJob {
 public:
  RunJob(const Options& options, comm::Communicator& world);

  // Locks the output, reads the progress of an earlier run over `total` rows and returns how many
  // are done. `facts` are those known before planning. Also starts to watch the time for
  // --stop-after. Collective; throws the same error on all
  // ranks: Fault::data when the progress is damaged or belongs to another run, Fault::cannot_create
  // when the files cannot be made or another run holds them.
  std::int64_t open(std::int64_t total, const Facts& facts);
  std::int64_t rows_done() const { return rows_done_; }

  // A fact that is known later. Throws Fault::data as open().
  void fact(const std::string& name, const std::string& value);

  // The writer of the output; it holds the rows done. rows_done as for shard::keep_arrays.
  std::unique_ptr<shard::KeptArrays> keep(std::vector<shard::ArraySpec> arrays,
                                          const std::vector<std::int64_t>& rows_done);

  // Values of an input that went into the rows done, in their order.
  void add_input(const std::string& name, const View& view);
  // After the rows done were read again: throws Fault::data when `what` was another then.
  void check_hash(const std::string& what, const std::string& hash) const;
  void check_inputs() const;

  // Whether it is time to save.
  bool due() const;
  // Rows up to `rows` to disk, and then their number. `output_hashes`: of these rows, by name.
  // Throws Fault::io, Fault::cannot_create; the progress saved before stays valid.
  void save(shard::KeptArrays& writer, std::int64_t rows,
            const std::map<std::string, std::string>& output_hashes);

  // Before and after the output is put in place. finished() removes all but the output.
  void finishing();
  void finished();

  // Between two batches: "signal 10" or "--stop-after 25m" when any rank got that signal or another
  // batch would end too late; else "". Collective, the same on all ranks.
  std::string reason_to_stop();
  // Ends the run after `rows` rows, which are saved. Collective; throws Fault::temporary.
  [[noreturn]] void stop(const std::string& reason, std::int64_t rows) const;

 private:
  using Clock = std::chrono::steady_clock;
  void read_progress_of(std::int64_t total);
  void compare_model(const Facts& facts);

  const Options& options_;
  comm::Communicator& world_;
  std::string progress_path_;
  std::unique_ptr<shard::OutputFile> file_;  // until keep()
  std::optional<JobProgress> found_;         // of an earlier run, with rows done
  JobProgress mine_;
  std::map<std::string, Sha256> inputs_;
  std::int64_t rows_done_ = 0, total_ = 0;
  std::optional<StopTime> stop_time_;
  Clock::time_point saved_ = Clock::now();
  double save_seconds_ = 0;  // the slowest so far
};

// Without --resume: "y.npy.progress: 300 of 1000 rows of an interrupted run are kept; …", or "".
std::string interrupted_text(const std::string& output);

}  // namespace tpinfer::launch
