// How far an interrupted job came: a small file beside its output, replaced as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shard/arrays/output_file.hpp"

namespace tpinfer::launch {

struct JobProgress {
  std::string unit = "rows";  // what is counted: "requests" stand in the output itself
  // What decides the result, by name, in the order in which differences are told: the model, the
  // inputs, the options that change bits. Not what only changes how it is computed.
  std::vector<std::pair<std::string, std::string>> facts;
  std::string model_times;                    // see Facts
  std::int64_t total = 0;                     // in units
  std::int64_t done = 0;                      // of these, whole on disk
  bool finishing = false;                     // all are, and the output is being put in place
  std::map<std::string, std::string> hashes;  // SHA-256 of what went in and came out so far
};

// Where it stands: y.npy -> y.npy.progress, beside the file that the output's links lead to.
inline constexpr const char* kProgressEnding = ".progress";
inline std::string progress_path(const std::string& output) {
  return shard::resolved_path(output) + kProgressEnding;
}

// Empty when there is none. Throws Fault::data, with what to do, when it is damaged or of another
// schema, or counts another unit; Fault::no_input when it cannot be read.
std::optional<JobProgress> read_progress(const std::string& path, const std::string& unit = "rows");

// To disk under another name, then into place, then the folder to disk: a reader finds the older
// text or this one. Throws Fault::cannot_create or Fault::io. One writer at a time.
void write_progress(const std::string& path, const JobProgress& progress);

// Removes it and what a writer that was killed may have left. Throws Fault::io.
void remove_progress(const std::string& path);

// Throws Fault::data unless `found`, read from `path`, has this value for the fact `name`: the line
// names both, and the two files to remove.
void check_fact(const std::string& path, const JobProgress& found, const std::string& name,
                const std::string& value);

// "; remove y.npy.progress and y.npy.part to start again": the end of such lines. Requests: y.npy.
std::string start_again_text(const std::string& progress_path, const std::string& unit = "rows");

}  // namespace tpinfer::launch
