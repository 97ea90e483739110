#include "launch/library/given_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

void check_fits(const shard::ValueSpec& spec, const Input& input) {
  bool fits = input.shape.size() == spec.shape.size();
  for (std::size_t d = 0; fits && d < spec.shape.size(); ++d) {
    const shard::Extent& extent = spec.shape[d];
    fits = input.shape[d] >= 0 && (!extent.symbol.empty() || extent.value == input.shape[d]);
  }
  if (!fits) {
    fail(Fault::data, fmt::format("input {} has shape {}, the model wants {}", spec.name,
                                  to_text(input.shape), shard::shape_text(spec)));
  }
  if (parse_dtype(input.dtype) != spec.dtype) {
    fail(Fault::data, fmt::format("input {} is {}, the model wants {}", spec.name, input.dtype,
                                  name_of(spec.dtype)));
  }
  if (input.data == nullptr && element_count(input.shape) > 0) {
    fail(Fault::data, fmt::format("input {} has no data", spec.name));
  }
}

}  // namespace

std::vector<Input> match_inputs(const shard::Signature& signature,
                                const std::vector<Input>& given) {
  std::map<std::string, const Input*> by_name;
  for (const Input& input : given) {
    if (!by_name.emplace(input.name, &input).second) {
      fail(Fault::data, fmt::format("input {} is given twice", input.name));
    }
  }
  std::vector<Input> matched;
  std::string names;
  for (const shard::ValueSpec& spec : signature.inputs) {
    names += (names.empty() ? "" : ", ") + spec.name;
    const auto at = by_name.find(spec.name);
    if (at == by_name.end()) fail(Fault::data, fmt::format("input {} is missing", spec.name));
    check_fits(spec, *at->second);
    matched.push_back(*at->second);
    by_name.erase(at);
  }
  if (!by_name.empty()) {
    fail(Fault::data, fmt::format("no input is called {}; the model's inputs: {}",
                                  by_name.begin()->first, names));
  }
  return matched;
}

shard::Symbols extents_of(const shard::Signature& signature, const std::vector<Input>& matched,
                          const shard::Symbols& most) {
  shard::Symbols extents;
  for (std::size_t i = 0; i < matched.size(); ++i) {
    for (std::size_t d = 0; d < matched[i].shape.size(); ++d) {
      const std::string& symbol = signature.inputs[i].shape[d].symbol;
      if (symbol.empty()) continue;
      const std::int64_t value = matched[i].shape[d];
      const std::int64_t first = extents.try_emplace(symbol, value).first->second;
      if (first != value) {
        fail(Fault::data, fmt::format("extent \"{}\" is {} in input {} and {} in another", symbol,
                                      value, matched[i].name, first));
      }
      if (value > most.at(symbol)) {
        fail(Fault::data, fmt::format("extent \"{}\" is {}, planned for at most {}: call "
                                      "set_extents",
                                      symbol, value, most.at(symbol)));
      }
    }
  }
  return extents;
}

std::vector<ValueInfo> describe_inputs(const shard::Signature& signature) {
  std::vector<ValueInfo> values;
  for (const shard::ValueSpec& spec : signature.inputs) {
    ValueInfo value{spec.name, std::string(name_of(spec.dtype)), {}, {}};
    for (const shard::Extent& extent : spec.shape) {
      value.shape.push_back(extent.symbol.empty() ? extent.value : -1);
      value.symbols.push_back(extent.symbol);
    }
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace tpinfer::launch
