#include "launch/overwrite.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "kernels/base/error.hpp"
#include "launch/file_names.hpp"
#include "shard/plan/strategy.hpp"

namespace tpinfer::launch {
namespace {

namespace fs = std::filesystem;

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  if (a == b || fs::equivalent(a, b, error)) return true;
  // Neither exists yet: by their names.
  std::error_code first, second;
  const fs::path left = fs::weakly_canonical(fs::absolute(a), first);
  const fs::path right = fs::weakly_canonical(fs::absolute(b), second);
  return !first && !second && left == right;
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

}  // namespace

void refuse_overwriting(const std::string& option, const std::string& target,
                        const std::vector<ReadFile>& files) {
  for (const ReadFile& file : files) {
    if (!file.path.empty() && same_file(target, file.path)) {
      fail(Fault::usage, fmt::format("{} {} is {}{}; name another file", option, target, file.what,
                                     target == file.path ? "" : " " + file.path));
    }
  }
}

std::vector<ReadFile> files_of(const shard::ModelTable& table) {
  std::vector<ReadFile> files;
  const bool several = table.files.size() > 1;
  for (const shard::FileInfo& file : table.files) {
    files.push_back({several ? "a file of the model" : "the model", file.path});
  }
  return files;
}

void refuse_overwriting(const Options& options, const shard::ModelTable& table, int ranks) {
  std::vector<ReadFile> read = files_of(table);
  for (const std::string& input : options.inputs) {
    for (const std::string& name : names_for(input, options.plan, ranks)) {
      for (const std::string& file : files_of_source(name)) read.push_back({"also an input", file});
    }
  }
  for (const std::string& file : files_of_source(options.labels)) {
    read.push_back({"also the labels", file});
  }
  for (const std::string& file : shard::strategy_files(options.plan.strategies)) {
    read.push_back({"also a strategy file", file});
  }
  read.push_back({"also the cost table", options.plan.costs});
  for (const std::string& target : names_for(options.output, options.plan, ranks)) {
    refuse_overwriting("--output", target, read);
    read.push_back({"also an output", target});
  }
  if (!options.report.empty()) refuse_overwriting("--report", options.report, read);
}

}  // namespace tpinfer::launch
