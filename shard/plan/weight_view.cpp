#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::shard {
namespace {

[[noreturn]] void bad_view(const std::string& text, const std::string& why) {
  fail(Fault::data, fmt::format("weight view \"{}\": {}", text, why));
}

std::int64_t number(const std::string& text, const std::string& part, std::int64_t fallback) {
  if (part.empty()) return fallback;
  std::int64_t value = 0;
  const auto result = std::from_chars(part.data(), part.data() + part.size(), value);
  if (result.ec != std::errc{} || result.ptr != part.data() + part.size()) {
    bad_view(text, fmt::format("\"{}\" is not a number", part));
  }
  return value;
}

// "a:b" of an extent; ":" is all of it.
Range range_of(const std::string& text, const std::string& part, std::int64_t extent) {
  const std::size_t colon = part.find(':');
  if (colon == std::string::npos) bad_view(text, "write ranges as begin:end");
  const Range range{number(text, part.substr(0, colon), 0),
                    number(text, part.substr(colon + 1), extent)};
  if (range.begin < 0 || range.end > extent || range.begin > range.end) {
    bad_view(text, fmt::format("range {}:{} outside extent {}", range.begin, range.end, extent));
  }
  return range;
}

}  // namespace

WeightView parse_view(const std::string& text, const WeightTable& weights) {
  std::string name = text;
  WeightView view;
  if (!weights.contains(name) && name.size() > 2 && name.ends_with(".T")) {
    view.transposed = true;
    name.resize(name.size() - 2);
  }
  std::string ranges;
  if (!weights.contains(name) && name.ends_with("]")) {
    const std::size_t open = name.rfind('[');
    if (open == std::string::npos) bad_view(text, "a ] without its [");
    ranges = name.substr(open + 1, name.size() - open - 2);
    name.resize(open);
  }
  const auto found = weights.find(name);
  if (found == weights.end()) bad_view(text, fmt::format("no weight is called \"{}\"", name));
  view.dataset = name;
  view.file = found->second.file;
  view.box = whole_box(found->second.shape);
  std::size_t dim = 0;
  for (std::size_t begin = 0; !ranges.empty(); ++dim) {
    if (dim == view.box.extent.size()) {
      bad_view(text, fmt::format("more ranges than the {} dimensions of {}", dim,
                                 to_text(found->second.shape)));
    }
    const std::size_t comma = ranges.find(',', begin);
    const Range range =
        range_of(text, ranges.substr(begin, comma - begin), found->second.shape[dim]);
    view.box.offset[dim] = range.begin;
    view.box.extent[dim] = range.size();
    if (comma == std::string::npos) break;
    begin = comma + 1;
  }
  if (view.transposed && view.box.extent.size() != 2) bad_view(text, "only a matrix has a .T");
  return view;
}

}  // namespace tpinfer::shard
