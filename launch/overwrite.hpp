// No run writes over what it reads.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "launch/options.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::launch {

// Files that must not be written. Each is looked up in the file system once.
class KeptFiles {
 public:
  // `what` is how messages call it: "the model", "also an input".
  void add(const std::string& what, const std::string& path);

  // Throws Fault::usage when `target` is one of them, whatever they are called (same device and
  // inode, or the same place). `option` begins the message: "--output".
  void refuse(const std::string& option, const std::string& target) const;

 private:
  std::map<std::string, std::pair<std::string, std::string>> names_;  // identity -> what, path
};

// All files of a model.
KeptFiles files_of(const shard::ModelTable& table);
void add_files_of(const shard::ModelTable& table, KeptFiles& kept);

// The same for every file that a run of `ranks` ranks writes: outputs, with {rank} and {dp} as each
// rank has them, and the report. `kept`: the files of the model. For rank 0. Throws Fault::usage,
// also when two are one file.
void refuse_overwriting(const Options& options, KeptFiles kept, int ranks);

}  // namespace tpinfer::launch
