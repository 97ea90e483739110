#include "launch/requests/call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "kernels/base/error.hpp"
#include "launch/memory_check.hpp"
#include "launch/requests/given_array.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

using shard::printable;

std::string names_of(const std::vector<shard::ValueSpec>& inputs) {
  std::vector<std::string> names;
  for (const shard::ValueSpec& input : inputs) names.push_back(input.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

const GivenValue& value_of(const Instance& instance, const std::string& name) {
  const auto found = std::find_if(instance.values.begin(), instance.values.end(),
                                  [&](const GivenValue& value) { return value.name == name; });
  if (found == instance.values.end()) {
    fail(Fault::data, fmt::format("cannot find input {} in the request", name));
  }
  return *found;
}

void refuse_unknown_names(const Callable& callable, const Instance& instance) {
  for (const GivenValue& value : instance.values) {
    const bool known = std::any_of(callable.inputs().begin(), callable.inputs().end(),
                                   [&](const auto& input) { return input.name == value.name; });
    if (known) continue;
    fail(Fault::data,
         fmt::format("no input is called {}; the inputs of {}: {}", printable(value.name),
                     callable.name(), names_of(callable.inputs())));
  }
}

shard::Symbols symbols_of(const std::deque<GivenArray>& arrays) {
  shard::Symbols symbols;
  std::map<std::string, std::string> given_by;
  for (const GivenArray& array : arrays) {
    if (!array.known_shape()) continue;
    for (std::size_t d = 0; d < array.known_shape()->size(); ++d) {
      const std::string& symbol = array.spec().shape[d].symbol;
      if (symbol.empty()) continue;
      const std::int64_t extent = (*array.known_shape())[d];
      const auto [at, fresh] = symbols.try_emplace(symbol, extent);
      if (!fresh && at->second != extent) {
        fail(Fault::data, fmt::format("extent \"{}\" is {} in input {} and {} in input {}", symbol,
                                      at->second, given_by[symbol], extent, array.spec().name));
      }
      given_by[symbol] = array.spec().name;
    }
  }
  return symbols;
}

Shape shape_on(const shard::ValueSpec& spec, const shard::Symbols& symbols) {
  Shape shape;
  for (const shard::Extent& extent : spec.shape) {
    shape.push_back(extent.symbol.empty() ? extent.value : symbols.at(extent.symbol));
  }
  return shape;
}

}  // namespace

Callable& choose_callable(const Request& request,
                          const std::vector<std::unique_ptr<Callable>>& callables,
                          std::int64_t version) {
  const std::int64_t known = std::max<std::int64_t>(1, version);
  if (request.version.value_or(0) != 0 && *request.version != known) {
    fail(Fault::data,
         fmt::format("version {} is not there; the model's version: {}", *request.version, known));
  }
  if (request.method && request.graph) {
    fail(Fault::data, "\"method\" and \"graph\": a method says itself which graphs it runs");
  }
  if (!request.graph && !request.method) return *callables[0];
  const std::string& wanted = request.method ? *request.method : *request.graph;
  std::vector<std::string> names, graphs;
  for (const auto& callable : callables) {
    const shard::Signature& signature = callable->signature();
    const bool graph = signature.kind == shard::Signature::Kind::graph;
    if (graph) graphs.push_back(signature.name);
    if (graph == request.method.has_value()) continue;
    if (signature.name == wanted || (graph && wanted == fmt::format("{}", names.size()))) {
      return *callable;
    }
    names.push_back(signature.name);
  }
  if (request.method) {
    fail(Fault::data,
         fmt::format("no method is called {}; the model has {}", printable(wanted),
                     names.empty() ? fmt::format("graphs only: {}", fmt::join(graphs, ", "))
                                   : fmt::format("{}", fmt::join(names, ", "))));
  }
  if (names.empty()) {
    fail(Fault::data, fmt::format("no graph is called {}; only {} was loaded", printable(wanted),
                                  callables[0]->signature().label()));
  }
  fail(Fault::data, fmt::format("no graph is called {}; there are {} (0 to {})", printable(wanted),
                                fmt::join(names, ", "), names.size() - 1));
}

Call prepare_call(Callable& callable, const Instance& instance, runtime::Model& model) {
  if (!instance.problem.empty()) fail(Fault::data, instance.problem);
  refuse_unknown_names(callable, instance);
  std::deque<GivenArray> arrays;
  for (const shard::ValueSpec& spec : callable.inputs()) {
    arrays.emplace_back(spec, value_of(instance, spec.name), model, callable.signature());
  }
  Call call;
  call.callable = &callable;
  call.symbols = symbols_of(arrays);
  for (const std::string& symbol : callable.symbols()) call.symbols.try_emplace(symbol, 1);
  call.outputs = callable.outputs_on(call.symbols);
  std::size_t bytes = 0;
  for (const shard::ValueSpec& spec : callable.inputs()) {
    bytes += byte_count(shape_on(spec, call.symbols), spec.dtype);
  }
  for (const shard::Tensor& output : call.outputs) bytes += byte_count(output.shape, output.dtype);
  check_own_memory("inputs and outputs of the request", bytes);
  for (GivenArray& array : arrays) {
    const Shape shape = shape_on(array.spec(), call.symbols);
    std::vector<std::byte>& data = call.inputs.emplace_back(byte_count(shape, array.spec().dtype));
    array.copy_to({data.data(), array.spec().dtype, shape});
  }
  return call;
}

bool may_share(const Call& a, const Call& b) {
  if (a.callable != b.callable) return false;
  const std::string& batch = a.callable->batch();
  for (const auto& [symbol, extent] : a.symbols) {
    if (symbol != batch && b.symbols.at(symbol) != extent) return false;
  }
  if (!a.callable->rows_stay_apart(a.symbols)) return false;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const std::vector<shard::Extent>& shape = a.callable->inputs()[i].shape;
    const bool has_rows = !shape.empty() && shape[0].symbol == batch;
    if (!has_rows && a.inputs[i] != b.inputs[i]) return false;
  }
  return true;
}

}  // namespace tpinfer::launch
