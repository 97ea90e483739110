#include <fmt/format.h>

#include "kernels/base/error.hpp"
#include "launch/tpmodel_commands.hpp"
#include "runtime/op.hpp"
#include "shard/file/preflight.hpp"

namespace tpinfer::launch {

std::unique_ptr<runtime::Model> open_checked(const std::string& path) {
  return std::make_unique<runtime::Model>(shard::preflight(path, shard::helper_beside_program()));
}

std::unique_ptr<runtime::Model> open_for_planning(const std::string& path) {
  try {
    return open_checked(path);
  } catch (const Error& error) {
    if (error.fault() != Fault::data) throw;
    std::unique_ptr<runtime::Model> model;
    try {
      model = std::make_unique<runtime::Model>(
          shard::preflight(path, shard::helper_beside_program(), true));
    } catch (const Error&) {
      throw error;  // it is not only that
    }
    fmt::print(stderr, "tpmodel: note: {}; planned all the same\n", error.what());
    return model;
  }
}

shard::BoundGraph bind_all(const runtime::Model& model, const shard::Graph& graph,
                           const shard::Symbols& given, std::int64_t value) {
  shard::Symbols symbols = given;
  for (const shard::ValueSpec& input : graph.inputs) {
    for (const shard::Extent& extent : input.shape) {
      if (!extent.symbol.empty()) symbols.try_emplace(extent.symbol, value);
    }
  }
  return shard::bind(graph, symbols, model.weights(), runtime::rule_table());
}

}  // namespace tpinfer::launch
