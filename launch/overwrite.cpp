#include "launch/overwrite.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include "kernels/base/error.hpp"
#include "launch/file_names.hpp"
#include "launch/job/progress_file.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::launch {
namespace {

namespace fs = std::filesystem;

// What tells a file whatever it is called: device and inode, and its place for one that does not
// exist yet.
std::vector<std::string> identities_of(const std::string& path) {
  std::vector<std::string> identities;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    identities.push_back(fmt::format("{}:{}", status.st_dev, status.st_ino));
  }
  std::error_code error;
  const fs::path place = fs::weakly_canonical(fs::absolute(path), error);
  identities.push_back(error ? path : place.string());
  return identities;
}

// The names that a name with {rank} and {dp} stands for.
std::set<std::string> names_for(const std::string& text, const PlanRequest& plan, int ranks) {
  if (text.empty()) return {};
  if (!many(text)) return {text};
  const shard::MeshOptions mesh = mesh_options(plan);
  std::set<std::string> names;
  for (int r = 0; r < ranks; ++r) {
    names.insert(own_name(text, r, shard::data_group(mesh, ranks, r)));
  }
  return names;
}

// A source "NAME=x.h5:/data" may be the file x.h5; a file's own name may hold '=' and ':'.
std::vector<std::string> files_of_source(const std::string& source) {
  std::vector<std::string> files;
  for (const std::string& text : {source, source.substr(source.find('=') + 1)}) {
    files.push_back(text);
    if (const std::size_t colon = text.rfind(':'); colon != std::string::npos) {
      files.push_back(text.substr(0, colon));
    }
  }
  return files;
}

// What is written at the end should not fail there for what can be seen at the beginning.
void check_folder_of(const std::string& option, const std::string& target) {
  const fs::path folder = fs::absolute(target).parent_path();
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return;
  fail(Fault::cannot_create, fmt::format("{} {}: {}", option, target, std::strerror(errno)));
}

}  // namespace

void KeptFiles::add(const std::string& what, const std::string& path) {
  if (path.empty()) return;
  for (const std::string& identity : identities_of(path)) names_.try_emplace(identity, what, path);
}

void KeptFiles::refuse(const std::string& option, const std::string& target) const {
  for (const std::string& identity : identities_of(target)) {
    const auto found = names_.find(identity);
    if (found == names_.end()) continue;
    const auto& [what, path] = found->second;
    fail(Fault::usage, fmt::format("{} {} is {}{}; name another file", option, target, what,
                                   target == path ? "" : " " + path));
  }
}

KeptFiles files_of(const shard::ModelTable& table) {
  KeptFiles files;
  add_files_of(table, files);
  return files;
}

void add_files_of(const shard::ModelTable& table, KeptFiles& kept) {
  for (const shard::FileInfo& file : table.files) {
    kept.add(table.files.size() > 1 ? "a file of the model" : "the model", file.path);
  }
}

void refuse_overwriting(const Options& options, KeptFiles kept, int ranks) {
  kept.add("also the pipelines", options.pipelines);
  for (const std::string& input : options.inputs) {
    for (const std::string& name : names_for(input, options.plan, ranks)) {
      for (const std::string& file : files_of_source(name)) kept.add("also an input", file);
    }
  }
  for (const std::string& file : files_of_source(options.labels)) {
    kept.add("also the labels", file);
  }
  for (const std::string& file : shard::strategy_files(options.plan.strategies)) {
    kept.add("also a strategy file", file);
  }
  kept.add("also the cost table", options.plan.costs);
  if (options.requests != "-") kept.add("also the requests", options.requests);
  for (const std::string& target : names_for(options.output, options.plan, ranks)) {
    kept.refuse("--output", target);
    kept.add("also an output", target);
    if (!options.resume) continue;
    for (const std::string& path : {shard::kept_path(target), progress_path(target)}) {
      kept.refuse("--resume keeps progress in", path);
      kept.add("the progress of the run", path);
    }
  }
  if (options.report.empty()) return;
  kept.refuse("--report", options.report);
  check_folder_of("--report", options.report);
}

}  // namespace tpinfer::launch
