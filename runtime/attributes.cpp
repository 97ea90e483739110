// Which attributes an operator knows.
#include <fmt/format.h>

#include <sstream>

#include "kernels/base/error.hpp"
#include "runtime/op.hpp"

namespace tpinfer::runtime {
namespace {

constexpr const char* kGemm = "alpha beta transA transB";  // lowered, so not in the table

bool has_value(const shard::Attribute& attribute, const std::string& text) {
  if (const auto* name = std::get_if<std::string>(&attribute)) return *name == text;
  const auto* number = std::get_if<std::int64_t>(&attribute);
  return number != nullptr && fmt::format("{}", *number) == text;
}

void check(const shard::Node& node, const std::string& known) {
  for (const auto& [key, value] : node.attributes) {
    std::istringstream words(known);
    std::string names;
    bool found = false;
    for (std::string word; words >> word;) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      names += (names.empty() ? "" : ", ") + name;
      if (name != key) continue;
      found = true;
      if (equals != std::string::npos && !has_value(value, word.substr(equals + 1))) {
        fail(Fault::data, fmt::format("{}: attribute {} can only be {}, its default",
                                      shard::label_of(node), key, word.substr(equals + 1)));
      }
    }
    if (!found) {
      fail(Fault::data, fmt::format("{}: unknown attribute {}; known: {}", shard::label_of(node),
                                    key, names.empty() ? "none" : names));
    }
  }
}

}  // namespace

void check_attributes(const shard::Graph& graph) {
  for (const shard::Node& node : graph.nodes) {
    const auto op = operator_table().find(node.op);
    if (node.op == "Gemm") {
      check(node, kGemm);
    } else if (op != operator_table().end()) {
      check(node, op->second.attributes);
    }
  }
}

}  // namespace tpinfer::runtime
