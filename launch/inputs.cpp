#include "launch/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "kernels/base/error.hpp"
#include "shard/arrays/convert.hpp"

namespace tpinfer::launch {
namespace {

std::string input_names(const shard::Signature& signature) {
  std::string names;
  for (const shard::ValueSpec& input : signature.inputs) {
    names += fmt::format("{}{} {} {}", names.empty() ? "" : ", ", input.name, name_of(input.dtype),
                         shard::shape_text(input));
  }
  return names;
}

// "x=ones" -> {"x", "ones"}; "ones" means the only input.
std::pair<std::string, std::string> named_source(const shard::Signature& signature,
                                                 const std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  const bool known = std::any_of(signature.inputs.begin(), signature.inputs.end(),
                                 [&](const auto& input) { return input.name == name; });
  if (equals != std::string::npos && known) return {name, argument.substr(equals + 1)};
  if (equals == std::string::npos && signature.inputs.size() == 1) {
    return {signature.inputs[0].name, argument};
  }
  fail(Fault::data, fmt::format("--input {}: {}; the model's inputs: {}", argument,
                                equals == std::string::npos ? "name the input, NAME=SOURCE"
                                                            : "no input is called " + name,
                                input_names(signature)));
}

template <typename T>
void fill_elements(const View& out, int value) {
  std::fill_n(out.as<T>(), out.count(), static_cast<T>(value));
}

}  // namespace

void check_fits(const shard::ValueSpec& spec, const std::string& source, const Shape& shape,
                DType dtype) {
  bool fits = shape.size() == spec.shape.size();
  for (std::size_t d = 0; fits && d < shape.size(); ++d) {
    fits = !spec.shape[d].symbol.empty() || spec.shape[d].value == shape[d];
  }
  if (!fits) {
    fail(Fault::data, fmt::format("input {}: {} has shape {}, the model wants {}", spec.name,
                                  source, to_text(shape), shard::shape_text(spec)));
  }
  if (!shard::convertible(dtype, spec.dtype)) {
    fail(Fault::data, fmt::format("input {}: {} holds {}, the model wants {}", spec.name, source,
                                  name_of(dtype), name_of(spec.dtype)));
  }
}

void fill(const View& out, int value) {
  switch (size_of(out.dtype)) {
    case 1:
      return fill_elements<std::uint8_t>(out, value);
    case 2:
      return fill_elements<std::uint16_t>(out, value);
    case 8:
      return fill_elements<std::uint64_t>(out, value);
    default:
      break;
  }
  if (out.dtype == DType::f32) return fill_elements<float>(out, value);
  fill_elements<std::uint32_t>(out, value);
}

std::vector<const shard::ExampleInfo*> examples_of(const runtime::Model& model,
                                                   const shard::Signature& signature) {
  const shard::ModelTable& table = model.table(static_cast<std::size_t>(signature.file));
  std::vector<const shard::ExampleInfo*> examples;
  for (const shard::ExampleInfo& example : table.examples) {
    const bool of_graph = example.method.empty();
    const std::string& name = !of_graph               ? example.method
                              : example.graph.empty() ? table.graphs[0].name
                                                      : example.graph;
    if (of_graph == (signature.kind == shard::Signature::Kind::graph) && name == signature.name) {
      examples.push_back(&example);
    }
  }
  return examples;
}

InputSource::InputSource(const shard::ValueSpec& spec, const std::string& text,
                         runtime::Model& model, const shard::Signature& signature, bool opens_files)
    : spec_(spec), text_(text), examples_(&model.file(static_cast<std::size_t>(signature.file))) {
  if (text == "ones" || text == "zeros") return;
  if (text == "example") {
    const auto examples = examples_of(model, signature);
    for (std::size_t i = 0; !examples.empty() && i < examples[0]->inputs.size(); ++i) {
      const shard::TensorInfo& data = examples[0]->inputs[i].data;
      if (data.name == spec.name) example_path_ = data.path;
    }
    if (example_path_.empty()) {
      fail(Fault::data, fmt::format("input {}: the model has no example of it", spec.name));
    }
    known_shape_ = examples_->shape(example_path_);
    check_fits(spec, "the model's example", *known_shape_, examples_->compute_dtype(example_path_));
    return;
  }
  if (!opens_files) return;
  reader_ = shard::open_array(text, spec.name);
  known_shape_ = reader_->shape;
  check_fits(spec, text, *known_shape_, reader_->dtype);
}

void InputSource::read(Range rows, const View& out) {
  if (text_ == "ones" || text_ == "zeros") return fill(out, text_ == "ones" ? 1 : 0);
  const DType from =
      example_path_.empty() ? reader_->dtype : examples_->compute_dtype(example_path_);
  std::vector<std::byte> stored;
  void* target = out.data;
  if (from != out.dtype) {
    stored.resize(static_cast<std::size_t>(out.count()) * size_of(from));
    target = stored.data();
  }
  if (example_path_.empty()) {
    reader_->read_rows(rows, target);
  } else {
    Box box = whole_box(*known_shape_);
    if (!box.extent.empty()) box.offset[0] = rows.begin, box.extent[0] = rows.size();
    examples_->read(example_path_, box, target);
  }
  if (from != out.dtype) {
    shard::convert_elements(from, stored.data(), out.dtype, out.data, out.count());
  }
}

std::vector<InputSource> choose_inputs(const shard::Signature& signature,
                                       const std::vector<std::string>& arguments,
                                       runtime::Model& model, bool opens_files) {
  std::map<std::string, std::string> sources;
  for (const std::string& argument : arguments) {
    const auto [name, source] = named_source(signature, argument);
    if (!sources.emplace(name, source).second) {
      fail(Fault::data, fmt::format("--input {}: input {} is given twice", argument, name));
    }
  }
  const bool has_example = !examples_of(model, signature).empty();
  std::vector<InputSource> inputs;
  for (const shard::ValueSpec& spec : signature.inputs) {
    const auto source = sources.find(spec.name);
    if (source == sources.end() && !arguments.empty()) {
      fail(Fault::data, fmt::format("cannot find input {}: give --input {}=SOURCE; the model's "
                                    "inputs: {}",
                                    spec.name, spec.name, input_names(signature)));
    }
    const std::string text = source != sources.end() ? source->second
                             : has_example           ? "example"
                                                     : "ones";
    inputs.emplace_back(spec, text, model, signature, opens_files);
  }
  return inputs;
}

shard::Symbols symbols_of(const std::vector<InputSource>& inputs) {
  shard::Symbols symbols;
  std::map<std::string, std::string> given_by;
  for (const InputSource& input : inputs) {
    if (!input.known_shape()) continue;
    for (std::size_t d = 0; d < input.spec().shape.size(); ++d) {
      const std::string& symbol = input.spec().shape[d].symbol;
      if (symbol.empty()) continue;
      const std::int64_t extent = (*input.known_shape())[d];
      const auto [at, fresh] = symbols.try_emplace(symbol, extent);
      if (!fresh && at->second != extent) {
        fail(Fault::data, fmt::format("extent \"{}\" is {} in input {} and {} in input {}", symbol,
                                      at->second, given_by[symbol], extent, input.spec().name));
      }
      given_by[symbol] = input.spec().name;
    }
  }
  for (const InputSource& input : inputs) {
    for (const shard::Extent& extent : input.spec().shape) {
      if (!extent.symbol.empty()) symbols.try_emplace(extent.symbol, 1);
    }
  }
  return symbols;
}

}  // namespace tpinfer::launch
