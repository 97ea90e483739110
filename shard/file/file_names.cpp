#include "shard/file/file_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 1'000'000;

std::vector<std::string> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
    if (names.size() > kMostEntries) {
      fail(Fault::no_input, fmt::format("{}: more than {} files", printable(folder), kMostEntries));
    }
  }
  if (error) fail(Fault::no_input, fmt::format("{}: {}", printable(folder), error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool path_exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join(const std::string& folder, const std::string& name) {
  if (folder == ".") return name;
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

std::string with_rank_mark(const std::string& path) {
  const std::size_t slash = path.rfind('/'), dot = path.rfind('.');
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t at = dot == std::string::npos || dot <= begin ? path.size() : dot;
  return path.substr(0, at) + kRankMark + path.substr(at);
}

std::string rank_name(const std::string& pattern, std::int64_t rank) {
  std::string name = pattern;
  const std::string mark = kRankMark, number = fmt::format("{}", rank);
  for (std::size_t at = 0; (at = name.find(mark, at)) != std::string::npos; at += number.size()) {
    name.replace(at, mark.size(), number);
  }
  return name;
}

std::map<std::int64_t, std::string> files_of_pattern(const std::string& pattern) {
  // The first part of the path that holds the mark is looked for in its folder.
  const std::size_t mark = pattern.find(kRankMark);
  const std::size_t slash = pattern.rfind('/', mark);
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t end = std::min(pattern.find('/', mark), pattern.size());
  const std::string part = pattern.substr(begin, end - begin);
  const std::string before = part.substr(0, mark - begin);
  std::map<std::int64_t, std::string> files;
  for (const std::string& name : names_in(folder_of(pattern.substr(0, end)))) {
    if (!name.starts_with(before)) continue;
    std::int64_t rank = -1;
    const char* from = name.data() + before.size();
    const auto number = std::from_chars(from, name.data() + name.size(), rank);
    if (number.ec != std::errc() || rank < 0 || rank_name(part, rank) != name) continue;
    const std::string path = rank_name(pattern, rank);
    if (path_exists(path)) files[rank] = path;
  }
  return files;
}

std::vector<std::string> models_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : names_in(folder)) {
    if (!name.ends_with(".h5") && !name.ends_with(".hdf5")) continue;
    std::error_code error;
    const std::string path = join(folder, name);
    if (fs::is_regular_file(path, error)) paths.push_back(path);
  }
  return paths;
}

std::string pattern_of(const std::string& path, std::int64_t rank) {
  const std::string number = fmt::format("{}", rank);
  const std::size_t slash = path.rfind('/'), dot = path.rfind('.');
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t end = dot == std::string::npos || dot < begin ? path.size() : dot;
  if (end - begin < number.size()) return "";
  const std::size_t at = end - number.size();
  if (path.compare(at, number.size(), number) != 0) return "";
  if (at > begin && path[at - 1] >= '0' && path[at - 1] <= '9') return "";
  return path.substr(0, at) + kRankMark + path.substr(end);
}

}  // namespace tpinfer::shard
