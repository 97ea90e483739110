// The outputs of a run over many batches: hashed, printed, written, compared with labels.
#pragma once

#include <deque>
#include <memory>

#include "launch/outputs.hpp"
#include "launch/report.hpp"
#include "launch/row_groups.hpp"
#include "launch/run.hpp"

namespace tpinfer::launch {

// The rows of the run that outputs are about.
struct OutputRows {
  std::int64_t all = 0;         // 0 = the graph has no batch
  bool in_batches = false;      // they come in several runs
  RowGroups* groups = nullptr;  // parts of the ranks that brought their own rows
};

// All members are collective and throw the same error on all ranks.
class RunOutputs {
 public:
  // Creates the files of --output, under temporary names.
  RunOutputs(const Context& context, Runner& runner, const OutputRows& rows);

  // The runner's outputs are those of rows [rows.begin, rows.end): takes them.
  void take(Range rows);

  // Compares hashes, completes files, prints. Adds hashes and accuracy to the report.
  void finish(Report& report);

 private:
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
  bool parts_ = false;                          // every part of the ranks writes its own rows
};

}  // namespace tpinfer::launch
