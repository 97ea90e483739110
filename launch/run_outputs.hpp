// The outputs of a run over many batches: hashed, printed, written, compared with labels.
#pragma once

#include <deque>
#include <memory>

#include "launch/job/run_job.hpp"
#include "launch/outputs.hpp"
#include "launch/report.hpp"
#include "launch/row_groups.hpp"
#include "launch/run.hpp"

namespace tpinfer::launch {

// The rows of the run that outputs are about.
struct OutputRows {
  std::int64_t all = 0;         // 0 = the graph has no batch
  std::int64_t total = 0;       // what the run counts: the same, or 1
  bool in_batches = false;      // they come in several runs
  RowGroups* groups = nullptr;  // parts of the ranks that brought their own rows
  RunJob* job = nullptr;        // --resume
};

// All members are collective and throw the same error on all ranks.
class RunOutputs {
 public:
  // Creates the files of --output, under temporary names.
  RunOutputs(const Context& context, Runner& runner, const OutputRows& rows);

  // With a job: takes the rows that it has done from disk, as if they had just been computed.
  void restore();
  // With a job: rows [0, rows) are taken; saves them.
  void save(std::int64_t rows);

  // The runner's outputs are those of rows [rows.begin, rows.end): takes them.
  void take(Range rows);

  // Compares hashes, completes files, prints. Adds hashes and accuracy to the report.
  void finish(Report& report);

 private:
  void keep_file(std::vector<shard::ArraySpec> specs);
  std::int64_t rows_restored(std::size_t output) const;
  void restore_rows(std::size_t output, Range rows);
  void save_progress(std::int64_t rows);
  void open_files(std::vector<shard::ArraySpec> specs);
  void write(std::size_t output, Range rows);
  void print_outputs();
  bool prints() const;

  const Context& context_;
  const Options& o_;
  comm::Communicator& world_;
  Runner& runner_;
  OutputRows rows_;
  std::deque<OutputRecord> records_;            // an element never moves
  std::unique_ptr<Accuracy> accuracy_;          // rank 0
  std::unique_ptr<shard::ArrayWriter> writer_;  // rank 0, or every rank
  shard::KeptArrays* kept_ = nullptr;           // the writer, if it is one
  std::int64_t saved_ = 0;                      // rows, of the job
  bool parts_ = false;                          // every part of the ranks writes its own rows
};

}  // namespace tpinfer::launch
