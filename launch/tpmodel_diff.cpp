#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include "launch/tpmodel_commands.hpp"
#include "shard/layout/box_cover.hpp"

namespace tpinfer::launch {
namespace {

int differences = 0;

void report(const std::string& text) {
  fmt::print("{}\n", text);
  ++differences;
}

constexpr std::int64_t kSlabElements = std::int64_t{1} << 20;

// How many elements of a weight differ in their bits, and which comes first; read by slabs.
void compare_weight(runtime::Model& a, runtime::Model& b, const std::string& name) {
  const std::string path = "/weights/" + name;
  const shard::WeightInfo &left = a.weights().at(name), &right = b.weights().at(name);
  if (left.shape != right.shape || left.dtype != right.dtype) {
    return report(fmt::format("weight {}: {} {} and {} {}", name, name_of(left.dtype),
                              to_text(left.shape), name_of(right.dtype), to_text(right.shape)));
  }
  const Box whole = whole_box(left.shape);
  for (runtime::Model* model : {&a, &b}) model->file().prepare({{path, whole}});
  const std::size_t item = size_of(left.dtype);
  std::int64_t count = 0, first = -1, at = 0;
  std::vector<std::byte> x, y;
  shard::for_each_slab(whole, kSlabElements, [&](const Box& slab) {
    const auto elements = static_cast<std::size_t>(element_count(slab.extent));
    x.resize(elements * item);
    y.resize(elements * item);
    a.file().read(path, slab, x.data());
    b.file().read(path, slab, y.data());
    for (std::size_t i = 0; i < elements; ++i, ++at) {
      if (std::memcmp(x.data() + i * item, y.data() + i * item, item) == 0) continue;
      if (count++ == 0) first = at;
    }
  });
  if (count > 0) {
    report(fmt::format("weight {}: {} of {} elements differ, the first at {}", name, count, at,
                       first));
  }
}

void compare_graphs(const runtime::Model& a, const runtime::Model& b) {
  const auto &left = a.table().graphs, &right = b.table().graphs;
  if (left.size() != right.size()) {
    report(fmt::format("{} graphs and {} graphs", left.size(), right.size()));
  }
  for (std::size_t g = 0; g < std::min(left.size(), right.size()); ++g) {
    const std::string index = fmt::format("{}", g);
    if (left[g].name != right[g].name) {
      report(fmt::format("graph {}: called {} and {}", g, left[g].name, right[g].name));
    }
    if (shard::to_json(a.graph(index)) != shard::to_json(b.graph(index))) {
      report(fmt::format("graph {} ({}): the operators differ", g, left[g].name));
    }
  }
  const auto by_name = [](const std::vector<shard::GraphInfo>& infos) {
    std::map<std::string, std::string> texts;
    for (const shard::GraphInfo& info : infos) texts[info.name] = info.json;
    return texts;
  };
  const shard::CallInfo &mine = a.table().calls, &its = b.table().calls;
  if (by_name(mine.methods) != by_name(its.methods)) report("the methods differ");
  if (by_name(mine.pipelines) != by_name(its.pipelines)) report("the pipelines differ");
  if (mine.version != its.version) {
    report(fmt::format("version {} and {}", mine.version, its.version));
  }
}

}  // namespace

int diff_command(const std::string& path_a, const std::string& path_b) {
  const auto a = open_checked(path_a), b = open_checked(path_b);
  compare_graphs(*a, *b);
  std::set<std::string> names;
  for (const auto& [name, info] : a->weights()) names.insert(name);
  for (const auto& [name, info] : b->weights()) names.insert(name);
  for (const std::string& name : names) {
    if (!a->weights().contains(name)) {
      report(fmt::format("weight {}: only in {}", name, path_b));
    } else if (!b->weights().contains(name)) {
      report(fmt::format("weight {}: only in {}", name, path_a));
    } else {
      compare_weight(*a, *b, name);
    }
  }
  if (a->table().examples.size() != b->table().examples.size()) {
    report(fmt::format("{} known answers and {}", a->table().examples.size(),
                       b->table().examples.size()));
  }
  if (differences == 0) fmt::print("no differences\n");
  return differences == 0 ? 0 : 1;
}

}  // namespace tpinfer::launch
