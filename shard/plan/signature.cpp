#include "shard/plan/signature.hpp"

#include <fmt/format.h>

namespace tpinfer::shard {

std::string Signature::label() const {
  const char* what = kind == Kind::graph    ? "graph "
                     : kind == Kind::method ? "method "
                                            : "pipeline ";
  return what + name;
}

std::string shape_text(const ValueSpec& spec) {
  std::string text;
  for (const Extent& extent : spec.shape) {
    text += (text.empty() ? "" : ",") +
            (extent.symbol.empty() ? fmt::format("{}", extent.value) : extent.symbol);
  }
  return fmt::format("({}{})", text, spec.shape.size() == 1 ? "," : "");
}

}  // namespace tpinfer::shard
