#include "shard/file/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/file/object_walk.hpp"
#include "shard/file/raw_file.hpp"
#include "shard/file/superblock.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::int64_t kFormatVersion = 1;

// "/weights/a/b" -> "a/b" for the section "/weights/"; empty when the path is elsewhere.
std::string name_within(const std::string& path, const std::string& section) {
  return path.starts_with(section) ? path.substr(section.size()) : "";
}

// Builds the table from what the walk meets.
class Scanner {
 public:
  Scanner(const Limits& limits, ModelTable& table) : limits_(limits), table_(table) {}

  void check_format(Hdf5Id root);
  void add(Hdf5Id dataset, const std::string& path);
  void finish(Hdf5Id root);

 private:
  void add_graph(Hdf5Id dataset, const std::string& path, const std::string& name);
  void add_manifest(Hdf5Id dataset, const std::string& path);
  void add_example(Hdf5Id dataset, const std::string& path, const std::string& rest);
  void add_example_graphs(Hdf5Id root);
  DatasetInfo examine(Hdf5Id dataset, const std::string& path, const std::string& name);
  void check_overlaps();
  void check_manifest() const;
  void check_examples() const;

  const Limits& limits_;
  ModelTable& table_;
  std::map<int, ExampleInfo> examples_;
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

DatasetInfo Scanner::examine(Hdf5Id dataset, const std::string& path, const std::string& name) {
  check_name(path, name);
  DatasetInfo info = examine_dataset(dataset, path, table_.file_bytes, limits_);
  info.name = name;
  by_address_.emplace(address_of(dataset, path), info);
  return info;
}

void Scanner::add(Hdf5Id dataset, const std::string& path) {
  check_storage(dataset, path);
  if (const auto weight = name_within(path, "/weights/"); !weight.empty()) {
    table_.weights.push_back(examine(dataset, path, weight));
  } else if (const auto graph = name_within(path, "/graphs/"); !graph.empty()) {
    add_graph(dataset, path, graph);
  } else if (const auto example = name_within(path, "/examples/"); !example.empty()) {
    add_example(dataset, path, example);
  } else if (path == "/manifest") {
    add_manifest(dataset, path);
  } else {
    table_.unused.push_back(path);
  }
}

void Scanner::add_graph(Hdf5Id dataset, const std::string& path, const std::string& name) {
  check_name(path, name);
  GraphInfo graph{name, read_text(dataset, path, kMaxJsonBytes)};
  graph_bytes_ += graph.json.size();
  if (graph_bytes_ > limits_.graph_bytes) {
    fail(Fault::data, fmt::format("{}: all graphs together are longer than the limit of {} bytes",
                                  path, limits_.graph_bytes));
  }
  check_json(path, graph.json);
  const auto index = integer_attribute(dataset, "index", path);
  graphs_.emplace_back(index.value_or(INT64_MAX), std::move(graph));
}

void Scanner::add_manifest(Hdf5Id dataset, const std::string& path) {
  const std::string text = read_text(dataset, path, kMaxJsonBytes);
  check_json(path, text);
  const auto json = nlohmann::json::parse(text);
  if (!json.is_object() || json.size() != 1 || !json.contains("weights") ||
      !json["weights"].is_object()) {
    fail(Fault::data, path + ": must be {\"weights\": {name: SHA-256, ...}}");
  }
  for (const auto& [name, hash] : json["weights"].items()) {
    const std::string text_of_hash = hash.is_string() ? hash.get<std::string>() : "";
    if (text_of_hash.size() != 64 ||
        text_of_hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fail(Fault::data,
           fmt::format("{}: the entry of {} is not a SHA-256 in lower-case hexadecimal", path,
                       printable(name)));
    }
    table_.manifest[name] = text_of_hash;
  }
}

// `rest` is "<i>/inputs/<name>" or "<i>/outputs/<name>".
void Scanner::add_example(Hdf5Id dataset, const std::string& path, const std::string& rest) {
  int index = -1;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  const std::string after(end, rest.data() + rest.size());
  const std::string input = name_within(after, "/inputs/");
  const std::string output = name_within(after, "/outputs/");
  if (error != std::errc() || index < 0 || !rest.starts_with(fmt::format("{}/", index)) ||
      (input.empty() && output.empty())) {
    fail(Fault::data,
         path + ": an example is /examples/<number>/inputs/<name> or .../outputs/<name>");
  }
  ExampleInfo& example = examples_[index];
  example.index = index;
  if (!input.empty()) {
    example.inputs.push_back({examine(dataset, path, input), 0, 0});
    return;
  }
  ExampleTensor tensor{examine(dataset, path, output), 0, 0};
  tensor.rtol = number_attribute(dataset, "rtol", path).value_or(0);
  tensor.atol = number_attribute(dataset, "atol", path).value_or(0);
  for (const double tolerance : {tensor.rtol, tensor.atol}) {
    if (!std::isfinite(tolerance) || tolerance < 0) {
      fail(Fault::data, fmt::format("{}: a tolerance of {}", path, tolerance));
    }
  }
  example.outputs.push_back(std::move(tensor));
}

// The walk reports datasets; the attribute "graph" is on the group of an example.
void Scanner::add_example_graphs(Hdf5Id root) {
  if (examples_.empty()) return;
  const Hdf5Handle all = open_member(root, "examples", "/examples");
  for (auto& [index, example] : examples_) {
    const std::string where = fmt::format("/examples/{}", index);
    const Hdf5Handle group = open_member(all.id(), std::to_string(index), where);
    example.graph = text_attribute(group.id(), "graph", where).value_or("");
  }
}

void Scanner::check_overlaps() {
  std::vector<const DatasetInfo*> ranges;
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
  if (stored > table_.file_bytes) {
    fail(Fault::data,
         fmt::format("its datasets need {} bytes, the file has {}", stored, table_.file_bytes));
  }
}

void Scanner::check_manifest() const {
  std::set<std::string> names;
  for (const DatasetInfo& weight : table_.weights) names.insert(weight.name);
  for (const auto& [name, hash] : table_.manifest) {
    if (!names.contains(name)) {
      fail(Fault::data, fmt::format("/manifest: names the weight {}, which the file does not have",
                                    printable(name)));
    }
  }
}

void Scanner::check_examples() const {
  for (const ExampleInfo& example : table_.examples) {
    if (example.outputs.empty()) {
      fail(Fault::data, fmt::format("/examples/{}: has no outputs", example.index));
    }
    const bool known = example.graph.empty() ||
                       std::any_of(table_.graphs.begin(), table_.graphs.end(),
                                   [&](const GraphInfo& g) { return g.name == example.graph; });
    if (!known) {
      fail(Fault::data, fmt::format("/examples/{}: there is no graph {}", example.index,
                                    printable(example.graph)));
    }
  }
}

void Scanner::finish(Hdf5Id root) {
  if (graphs_.empty()) {
    fail(Fault::data, "it has no graph: /graphs/<name> must hold one as JSON");
  }
  std::stable_sort(graphs_.begin(), graphs_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < graphs_.size(); ++i) {
    if (i > 0 && graphs_[i].first == graphs_[i - 1].first && graphs_[i].first != INT64_MAX) {
      fail(Fault::data,
           fmt::format("graphs {} and {} have the same index {}", graphs_[i - 1].second.name,
                       graphs_[i].second.name, graphs_[i].first));
    }
    table_.graphs.push_back(std::move(graphs_[i].second));
  }
  std::sort(table_.weights.begin(), table_.weights.end(),
            [](const DatasetInfo& a, const DatasetInfo& b) { return a.name < b.name; });
  add_example_graphs(root);
  for (auto& [index, example] : examples_) table_.examples.push_back(std::move(example));
  check_overlaps();
  check_manifest();
  check_examples();
}

}  // namespace

ModelTable scan_model(const std::string& path, const Limits& limits) {
  const RawFile raw(path);
  check_superblock(raw);
  const FileIdentity identity = raw.identity();
  ModelTable table;
  table.path = path;
  table.file_bytes = identity.bytes;
  table.mtime_ns = identity.mtime_ns;
  table.sample_hash = identity.sample_hash;
  const Hdf5Handle file = open_hdf5(path, printable(path));
  try {
    Scanner scanner(limits, table);
    const Hdf5Handle root = open_member(file.id(), "/", "/");
    scanner.check_format(root.id());
    ObjectWalk(limits).run(
        file.id(), [&](Hdf5Id dataset, const std::string& where) { scanner.add(dataset, where); });
    scanner.finish(root.id());
  } catch (const Error& error) {
    fail_in(printable(path), error);
  }
  const FileIdentity after = raw.state();
  if (after.bytes != identity.bytes || after.mtime_ns != identity.mtime_ns) {
    fail(Fault::data, fmt::format("{}: changed while it was being checked", printable(path)));
  }
  return table;
}

}  // namespace tpinfer::shard
