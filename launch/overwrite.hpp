// No run writes over what it reads.
#pragma once

#include <string>
#include <vector>

#include "launch/options.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::launch {

// A file that is read, and how messages call it: "the model", "an input".
struct ReadFile {
  std::string what;
  std::string path;
};

// Throws Fault::usage when `target` is one of `files`, whatever they are called (same device and
// inode). `option` begins the message: "--output".
void refuse_overwriting(const std::string& option, const std::string& target,
                        const std::vector<ReadFile>& files);

// All files of a model.
std::vector<ReadFile> files_of(const shard::ModelTable& table);

// The same for every file that a run of `ranks` ranks writes: outputs, with {rank} and {dp} as each
// rank has them, and the report. Throws Fault::usage, also when two of them are one file.
void refuse_overwriting(const Options& options, const shard::ModelTable& table, int ranks);

}  // namespace tpinfer::launch
