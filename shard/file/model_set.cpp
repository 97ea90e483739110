#include "shard/file/model_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/file/file_names.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string shown(const FileScan& scan) { return printable(scan.file.path); }

// Throws unless all shard files (and the master) are of one checkpoint, one file per rank. Sorts
// them by rank.
void check_together(ModelSet& set) {
  std::vector<FileScan>& files = set.files;
  std::stable_sort(files.begin(), files.end(),
                   [](const FileScan& a, const FileScan& b) { return a.file.rank < b.file.rank; });
  const FileScan* first = set.master ? &*set.master : nullptr;
  if (first && first->ranks == 0) first = nullptr;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const FileScan& file = files[i];
    if (!file.is_shard()) continue;
    if (!first) first = &file;
    if (file.ranks != first->ranks) {
      fail(Fault::data, fmt::format("{} is one of {} files, {} one of {}: they do not belong "
                                    "together",
                                    shown(*first), first->ranks, shown(file), file.ranks));
    }
    if (file.checkpoint != first->checkpoint) {
      fail(Fault::data, fmt::format("{} belongs to checkpoint {}, {} to {}: they do not belong "
                                    "together",
                                    shown(*first), printable(first->checkpoint), shown(file),
                                    printable(file.checkpoint)));
    }
    if (i > 0 && files[i - 1].file.rank == file.file.rank) {
      fail(Fault::data, fmt::format("{} and {} are both the file of rank {}", shown(files[i - 1]),
                                    shown(file), file.file.rank));
    }
  }
}

int ranks_of(const ModelSet& set) {
  if (set.master && set.master->ranks > 0) return set.master->ranks;
  return set.files.empty() ? 0 : set.files.front().ranks;
}

// Tells for every rank without a file which file that would be. `names`: paths that are known to be
// missing, with their rank or -1.
void find_missing(ModelSet& set, const std::map<std::string, int>& names) {
  std::set<int> ranks;
  for (int rank = 0; rank < ranks_of(set); ++rank) ranks.insert(rank);
  std::string pattern;
  for (const FileScan& file : set.files) {
    ranks.erase(file.file.rank);
    if (pattern.empty()) pattern = pattern_of(file.file.path, file.file.rank);
  }
  for (const auto& [path, rank] : names) {
    int whose = rank;
    for (const int candidate : ranks) {
      if (whose < 0 && !pattern_of(path, candidate).empty()) whose = candidate;
    }
    // Under another name the rank's file is there after all.
    if (whose >= 0 && ranks.erase(whose) == 0) continue;
    set.missing.push_back({path, whose, true, {}});
  }
  for (const int rank : ranks) {
    std::string path = pattern.empty() ? "" : rank_name(pattern, rank);
    if (path_exists(path)) path.clear();  // it is another rank's
    set.missing.push_back({path, rank, true, {}});
  }
  std::stable_sort(set.missing.begin(), set.missing.end(),
                   [](const FileInfo& a, const FileInfo& b) { return a.rank < b.rank; });
}

// Scans each file once.
class Scans {
 public:
  explicit Scans(const Limits& limits) : limits_(limits) {}
  FileScan& at(const std::string& path) {
    beat();
    const auto found = scans_.find(path);
    return found != scans_.end() ? found->second
                                 : scans_.emplace(path, scan_file(path, limits_)).first->second;
  }

 private:
  const Limits& limits_;
  std::map<std::string, FileScan> scans_;
};

// Files of the folder that belong to the master under names that it does not know.
void add_renamed(ModelSet& set, const std::set<std::string>& known, Scans& scans) {
  for (const std::string& path : models_in(folder_of(set.master->file.path))) {
    if (known.contains(path) || path == set.master->file.path || !is_tpinfer_file(path)) continue;
    FileScan& scan = scans.at(path);
    if (scan.is_shard() && scan.checkpoint == set.master->checkpoint &&
        scan.ranks == set.master->ranks) {
      set.files.push_back(std::move(scan));
    }
  }
}

ModelSet by_master(ModelSet set, Scans& scans) {
  const FileScan& master = *set.master;
  const std::string folder = folder_of(master.file.path);
  std::map<std::string, int> names;  // path -> rank, or -1
  for (std::size_t rank = 0; rank < master.files.size(); ++rank) {
    names[join(folder, master.files[rank])] = static_cast<int>(rank);
  }
  for (const VirtualTensor& tensor : master.virtuals) {
    for (const Mapping& mapping : tensor.mappings) {
      const std::string path = join(folder, mapping.file);
      if (path == master.file.path) {
        fail(Fault::data, fmt::format("{}: {}: a mapping names the file itself",
                                      printable(master.file.path), tensor.path));
      }
      names.try_emplace(path, -1);
    }
  }
  std::set<std::string> known;
  std::map<std::string, int> absent;
  for (const auto& [path, rank] : names) {
    known.insert(path);
    if (path_exists(path)) {
      set.files.push_back(std::move(scans.at(path)));
    } else {
      absent[path] = rank;
    }
  }
  if (!absent.empty() && !master.checkpoint.empty()) add_renamed(set, known, scans);
  check_together(set);
  find_missing(set, absent);
  return set;
}

ModelSet by_files(ModelSet set, const std::vector<std::string>& paths, Scans& scans) {
  for (const std::string& path : paths) {
    set.files.push_back(std::move(scans.at(path)));
    if (!set.files.back().is_shard()) {
      fail(Fault::data, fmt::format("{}: the root attribute rank is missing: it is not a file of "
                                    "one rank",
                                    printable(path)));
    }
  }
  check_together(set);
  find_missing(set, {});
  return set;
}

ModelSet by_folder(ModelSet set, Scans& scans) {
  std::vector<std::string> shards;
  for (const std::string& path : models_in(set.path)) {
    if (!is_tpinfer_file(path)) continue;
    FileScan& scan = scans.at(path);
    if (scan.is_shard()) {
      shards.push_back(path);
    } else if (scan.is_master()) {
      if (set.master) {
        fail(Fault::data, fmt::format("{} and {} are both masters: name the one that is meant",
                                      shown(*set.master), shown(scan)));
      }
      set.master = std::move(scan);
    }
  }
  if (set.master) return by_master(std::move(set), scans);
  if (!shards.empty()) return by_files(std::move(set), shards, scans);
  fail(Fault::no_input, fmt::format("{}: it is a folder without a sharded checkpoint: no .h5 file "
                                    "in it has the root attribute rank",
                                    printable(set.path)));
}

ModelSet by_pattern(ModelSet set, const std::map<std::int64_t, std::string>& files, Scans& scans) {
  std::vector<std::string> paths;
  for (const auto& [rank, path] : files) paths.push_back(path);
  return by_files(std::move(set), paths, scans);
}

}  // namespace

ModelSet find_model(const std::string& path, const Limits& limits) {
  Scans scans(limits);
  ModelSet set;
  set.path = path;
  if (path.find(kRankMark) != std::string::npos) {
    const auto files = files_of_pattern(path);
    if (!files.empty()) return by_pattern(set, files, scans);
    fail(Fault::no_input, fmt::format("{}: there is no such file for any rank", printable(path)));
  }
  if (is_folder(path)) return by_folder(set, scans);
  if (!path_exists(path) && is_folder(folder_of(path))) {
    const auto files = files_of_pattern(with_rank_mark(path));
    if (!files.empty() && scans.at(files.begin()->second).is_shard()) {
      return by_pattern(set, files, scans);
    }
  }
  FileScan& scan = scans.at(path);
  if (scan.is_master()) {
    set.master = std::move(scan);
    return by_master(std::move(set), scans);
  }
  set.files.push_back(std::move(scan));
  find_missing(set, {});
  return set;
}

}  // namespace tpinfer::shard
