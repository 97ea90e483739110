// The inputs of rows that an earlier run has done, read again: they must be the same.
#pragma once

#include <string>
#include <vector>

#include "launch/inputs.hpp"
#include "launch/job/run_job.hpp"

namespace tpinfer::launch {

// "x float32 (1000,96), mask bool (1000,)".
std::string inputs_text(const std::vector<InputSource>& inputs, const shard::Symbols& symbols);

// Whether the input has a row per row of the batch; `batch` is its symbol, "" = none.
bool in_rows(const shard::ValueSpec& input, const std::string& batch);

// Gives `job` the values of all inputs that went into its rows done, and compares. `check_finite`:
// as --check-finite. Local, for the rank that reads inputs. Throws Fault::data, what reading
// throws.
void restore_inputs(RunJob& job, std::vector<InputSource>& inputs, const shard::Symbols& symbols,
                    const std::string& batch, bool check_finite);

}  // namespace tpinfer::launch
