#include "shard/file/file_scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/file/known_answers.hpp"
#include "shard/file/manifest.hpp"
#include "shard/file/object_walk.hpp"
#include "shard/file/superblock.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::int64_t kFormatVersion = 1;
constexpr std::int64_t kMaxRanks = 1 << 20;

// "/weights/a/b" -> "a/b" for the section "/weights/"; empty when the path is elsewhere.
std::string name_within(const std::string& path, const std::string& section) {
  return path.starts_with(section) ? path.substr(section.size()) : "";
}

// Builds the scan from what the walk meets.
class Scanner {
 public:
  Scanner(const Limits& limits, FileScan& scan) : limits_(limits), scan_(scan) {}

  void check_format(Hdf5Id root);
  void read_place(Hdf5Id root);
  void add(Hdf5Id dataset, const std::string& path);
  void finish(Hdf5Id root);

 private:
  void add_weight(Hdf5Id dataset, const std::string& path, const std::string& name);
  void add_graph(Hdf5Id dataset, const std::string& path, const std::string& name);
  GraphInfo text_of(Hdf5Id dataset, const std::string& path, const std::string& name);
  void read_version(Hdf5Id root);
  void sort_graphs();
  DatasetInfo examine(Hdf5Id dataset, const std::string& path, const std::string& name);
  void check_overlaps();
  void check_manifest() const;

  const Limits& limits_;
  FileScan& scan_;
  KnownAnswers answers_;
  std::vector<std::pair<std::int64_t, GraphInfo>> graphs_;  // with their index
  std::map<std::uint64_t, DatasetInfo> by_address_;         // a dataset may have several names
  std::size_t graph_bytes_ = 0;
};

void Scanner::check_format(Hdf5Id root) {
  const auto format = text_attribute(root, "format", "/");
  if (format != "tpinfer") {
    fail(Fault::data, fmt::format("not a tpinfer model: the root attribute format is {}; other "
                                  "formats are converted by tpmodel import",
                                  format ? "\"" + printable(*format) + "\"" : "missing"));
  }
  const auto version = integer_attribute(root, "format_version", "/");
  if (!version) fail(Fault::data, "/: the attribute format_version is missing; write 1");
  if (*version < 1) fail(Fault::data, fmt::format("/: format_version {} does not exist", *version));
  if (*version > kFormatVersion) {
    fail(Fault::data, fmt::format("format version {} is newer than version {}, the last that this "
                                  "program reads",
                                  *version, kFormatVersion));
  }
}

// Which part of a sharded checkpoint the file is.
void Scanner::read_place(Hdf5Id root) {
  const auto rank = integer_attribute(root, "rank", "/");
  const auto ranks = integer_attribute(root, "ranks", "/");
  const auto checkpoint = text_attribute(root, "checkpoint", "/");
  if (rank && !ranks) fail(Fault::data, "/: has the attribute rank, but not ranks: how many");
  if (rank && !checkpoint) {
    fail(Fault::data,
         "/: the attribute checkpoint is missing: a text that all files of a sharded "
         "checkpoint share");
  }
  if (ranks && (*ranks < 1 || *ranks > kMaxRanks)) {
    fail(Fault::data, fmt::format("/: the attribute ranks is {}", *ranks));
  }
  if (rank && (*rank < 0 || *rank >= *ranks)) {
    fail(Fault::data, fmt::format("/: rank {} is outside 0 to {}", *rank, *ranks - 1));
  }
  if (checkpoint) check_name("/: attribute checkpoint", *checkpoint);
  scan_.file.rank = static_cast<int>(rank.value_or(-1));
  scan_.ranks = static_cast<int>(ranks.value_or(0));
  scan_.checkpoint = checkpoint.value_or("");
  scan_.files = texts_attribute(root, "files", "/").value_or(std::vector<std::string>{});
  if (!scan_.files.empty() && scan_.files.size() != static_cast<std::size_t>(scan_.ranks)) {
    fail(Fault::data, fmt::format("/: the attribute files names {} files of {} ranks",
                                  scan_.files.size(), scan_.ranks));
  }
  for (const std::string& name : scan_.files) {
    check_name("/: attribute files", name);
    if (name.find('/') == std::string::npos && name != "." && name != "..") continue;
    fail(Fault::data, fmt::format("/: the attribute files names {}; only files of its own folder "
                                  "are allowed",
                                  printable(name)));
  }
}

DatasetInfo Scanner::examine(Hdf5Id dataset, const std::string& path, const std::string& name) {
  check_name(path, name);
  DatasetInfo info = examine_dataset(dataset, path, scan_.file.identity.bytes, limits_);
  info.name = name;
  by_address_.emplace(address_of(dataset, path), info);
  return info;
}

void Scanner::add(Hdf5Id dataset, const std::string& path) {
  const std::string weight = name_within(path, "/weights/");
  if (!weight.empty() && !scan_.is_shard() && is_virtual(dataset, path)) {
    check_name(path, weight);
    scan_.virtuals.push_back(read_virtual(dataset, path, weight, limits_));
    return;
  }
  check_storage(dataset, path);
  if (!weight.empty()) {
    add_weight(dataset, path, weight);
  } else if (const auto graph = name_within(path, "/graphs/"); !graph.empty()) {
    add_graph(dataset, path, graph);
  } else if (const auto method = name_within(path, "/methods/"); !method.empty()) {
    scan_.calls.methods.push_back(text_of(dataset, path, method));
  } else if (const auto pipeline = name_within(path, "/pipelines/"); !pipeline.empty()) {
    scan_.calls.pipelines.push_back(text_of(dataset, path, pipeline));
  } else if (path.starts_with("/examples/")) {
    const ExamplePlace place = place_in_example(path);
    answers_.add(dataset, place, examine(dataset, path, place.name));
  } else if (path == "/manifest") {
    scan_.manifest = parse_manifest(path, read_text(dataset, path, kMaxJsonBytes));
  } else {
    scan_.unused.push_back(path);
  }
}

void Scanner::add_weight(Hdf5Id dataset, const std::string& path, const std::string& name) {
  const DatasetInfo info = examine(dataset, path, name);
  if (scan_.is_shard()) {
    scan_.slices.push_back(read_slice(dataset, info, scan_.file.rank));
    return;
  }
  refuse_slice(dataset, path);
  scan_.slices.push_back({info, name, info.shape, whole_box(info.shape)});
}

GraphInfo Scanner::text_of(Hdf5Id dataset, const std::string& path, const std::string& name) {
  check_name(path, name);
  GraphInfo graph{name, read_text(dataset, path, kMaxJsonBytes)};
  graph_bytes_ += graph.json.size();
  if (graph_bytes_ > limits_.graph_bytes) {
    fail(Fault::data,
         fmt::format("{}: all graphs, methods and pipelines together are longer than the limit of "
                     "{} bytes",
                     path, limits_.graph_bytes));
  }
  check_json(path, graph.json);
  return graph;
}

void Scanner::add_graph(Hdf5Id dataset, const std::string& path, const std::string& name) {
  GraphInfo graph = text_of(dataset, path, name);
  const auto index = integer_attribute(dataset, "index", path);
  graphs_.emplace_back(index.value_or(INT64_MAX), std::move(graph));
}

void Scanner::check_overlaps() {
  std::vector<const DatasetInfo*> ranges;
  const std::uint64_t file_bytes = scan_.file.identity.bytes;
  std::uint64_t stored = 0;
  for (const auto& [address, info] : by_address_) {
    stored += info.stored_bytes;  // at most 1e5 terms, each at most the file's size
    if (info.contiguous && info.stored_bytes > 0) ranges.push_back(&info);
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i - 1]->offset + ranges[i - 1]->stored_bytes > ranges[i]->offset) {
      fail(Fault::data,
           fmt::format("{} and {} overlap in the file", ranges[i - 1]->path, ranges[i]->path));
    }
  }
  if (stored > file_bytes) {
    fail(Fault::data,
         fmt::format("its datasets need {} bytes, the file has {}", stored, file_bytes));
  }
}

void Scanner::check_manifest() const {
  std::set<std::string> names;
  for (const Slice& slice : scan_.slices) names.insert(slice.data.name);
  for (const VirtualTensor& tensor : scan_.virtuals) names.insert(tensor.name);
  for (const auto& [name, hash] : scan_.manifest) {
    if (!names.contains(name)) {
      fail(Fault::data, fmt::format("/manifest: names the weight {}, which the file does not have",
                                    printable(name)));
    }
  }
}

void Scanner::sort_graphs() {
  std::stable_sort(graphs_.begin(), graphs_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < graphs_.size(); ++i) {
    if (i > 0 && graphs_[i].first == graphs_[i - 1].first && graphs_[i].first != INT64_MAX) {
      fail(Fault::data,
           fmt::format("graphs {} and {} have the same index {}", scan_.graphs.back().name,
                       graphs_[i].second.name, graphs_[i].first));
    }
    scan_.graphs.push_back(std::move(graphs_[i].second));
  }
}

// A number that the author gives a model; larger is newer.
void Scanner::read_version(Hdf5Id root) {
  const auto version = integer_attribute(root, "version", "/");
  if (version && *version < 1) {
    fail(Fault::data, fmt::format("/: the attribute version is {}; the first is 1", *version));
  }
  scan_.calls.version = version.value_or(0);
}

void Scanner::finish(Hdf5Id root) {
  sort_graphs();
  for (auto* texts : {&scan_.calls.methods, &scan_.calls.pipelines}) {
    std::sort(texts->begin(), texts->end(),
              [](const GraphInfo& a, const GraphInfo& b) { return a.name < b.name; });
  }
  read_version(root);
  scan_.examples = answers_.finish(root, scan_.graphs, scan_.calls);
  check_overlaps();
  check_manifest();
}

}  // namespace

FileScan scan_file(const std::string& path, const Limits& limits) {
  const RawFile raw(path);
  check_superblock(raw);
  FileScan scan;
  scan.file.path = path;
  scan.file.identity = raw.identity();
  const Hdf5Handle file = open_hdf5(path, printable(path));
  try {
    Scanner scanner(limits, scan);
    const Hdf5Handle root = open_member(file.id(), "/", "/");
    scanner.check_format(root.id());
    scanner.read_place(root.id());
    ObjectWalk(limits).run(
        file.id(), [&](Hdf5Id dataset, const std::string& where) { scanner.add(dataset, where); });
    scanner.finish(root.id());
  } catch (const Error& error) {
    fail_in(printable(path), error);
  }
  const FileIdentity after = raw.state();
  if (after.bytes != scan.file.identity.bytes || after.mtime_ns != scan.file.identity.mtime_ns) {
    fail(Fault::data, fmt::format("{}: changed while it was being checked", printable(path)));
  }
  return scan;
}

bool is_tpinfer_file(const std::string& path) {
  check_superblock(RawFile(path));
  const Hdf5Handle file = open_hdf5(path, printable(path));
  const Hdf5Handle root = open_member(file.id(), "/", "/");
  return attribute_is_text(root.id(), "format", "/") &&
         text_attribute(root.id(), "format", "/") == "tpinfer";
}

}  // namespace tpinfer::shard
