#include "shard/file/known_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {

ExamplePlace place_in_example(const std::string& path) {
  const std::string rest = path.substr(std::string("/examples/").size());
  ExamplePlace place;
  const char* end = rest.data() + rest.size();
  const auto number = std::from_chars(rest.data(), end, place.index);
  const std::string after(number.ptr, end);
  for (const std::string section : {"/inputs/", "/outputs/"}) {
    if (!after.starts_with(section)) continue;
    place.input = section == "/inputs/";
    place.name = after.substr(section.size());
  }
  if (number.ec != std::errc() || place.index < 0 || place.name.empty() ||
      !rest.starts_with(fmt::format("{}/", place.index))) {
    fail(Fault::data,
         path + ": an example is /examples/<number>/inputs/<name> or .../outputs/<name>");
  }
  return place;
}

void KnownAnswers::add(Hdf5Id dataset, const ExamplePlace& place, const DatasetInfo& data) {
  ExampleInfo& example = examples_[place.index];
  example.index = place.index;
  ExampleTensor tensor{whole_tensor(data, 0), 0, 0};
  if (place.input) {
    example.inputs.push_back(std::move(tensor));
    return;
  }
  tensor.rtol = number_attribute(dataset, "rtol", data.path).value_or(0);
  tensor.atol = number_attribute(dataset, "atol", data.path).value_or(0);
  for (const double tolerance : {tensor.rtol, tensor.atol}) {
    if (!std::isfinite(tolerance) || tolerance < 0) {
      fail(Fault::data, fmt::format("{}: a tolerance of {}", data.path, tolerance));
    }
  }
  example.outputs.push_back(std::move(tensor));
}

std::vector<ExampleInfo> KnownAnswers::finish(Hdf5Id root, const std::vector<GraphInfo>& graphs,
                                              const CallInfo& calls) {
  std::vector<ExampleInfo> examples;
  if (examples_.empty()) return examples;
  auto named = [](const std::vector<GraphInfo>& texts, const std::string& name) {
    return std::any_of(texts.begin(), texts.end(),
                       [&](const GraphInfo& text) { return text.name == name; });
  };
  // The attributes "graph" and "method" are on the group of an example.
  const Hdf5Handle all = open_member(root, "examples", "/examples");
  for (auto& [index, example] : examples_) {
    const std::string where = fmt::format("/examples/{}", index);
    const Hdf5Handle group = open_member(all.id(), std::to_string(index), where);
    example.graph = text_attribute(group.id(), "graph", where).value_or("");
    example.method = text_attribute(group.id(), "method", where).value_or("");
    if (example.outputs.empty()) fail(Fault::data, where + ": has no outputs");
    if (!example.graph.empty() && !example.method.empty()) {
      fail(Fault::data, where + ": names both a graph and a method");
    }
    if (!example.graph.empty() && !named(graphs, example.graph)) {
      fail(Fault::data, fmt::format("{}: there is no graph {}", where, printable(example.graph)));
    }
    if (!example.method.empty() && !named(calls.methods, example.method) &&
        !named(calls.pipelines, example.method)) {
      fail(Fault::data,
           fmt::format("{}: there is no method or pipeline {}", where, printable(example.method)));
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace tpinfer::shard
