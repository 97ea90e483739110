#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/inputs.hpp"
#include "launch/outputs.hpp"
#include "launch/run.hpp"

namespace tpinfer::launch {
namespace {

// "[0,3]": the index of element `at`.
std::string index_text(std::int64_t at, const Shape& shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    index[d] = at % shape[d];
    at /= shape[d];
  }
  return fmt::format("[{}]", fmt::join(index, ","));
}

// Bitwise with zero tolerances, else |got - want| <= atol + rtol |want|; NaN agrees with NaN.
bool agrees(const View& want, const View& got, std::int64_t i, double rtol, double atol) {
  const std::size_t item = size_of(want.dtype);
  const auto* a = static_cast<const std::byte*>(want.data) + static_cast<std::size_t>(i) * item;
  const auto* b = static_cast<const std::byte*>(got.data) + static_cast<std::size_t>(i) * item;
  if (std::memcmp(a, b, item) == 0) return true;
  if (want.dtype != DType::f32 || (rtol == 0 && atol == 0)) return false;
  const double w = want.as<float>()[i], g = got.as<float>()[i];
  return (std::isnan(w) && std::isnan(g)) || std::abs(g - w) <= atol + rtol * std::abs(w);
}

class Check {
 public:
  explicit Check(const Context& context)
      : context_(context),
        world_(context.session.world()),
        runner_(context.options, context.session, context.model, context.story),
        file_(context.model.file(static_cast<std::size_t>(runner_.signature().file))) {}

  int run() {
    comm::together(world_, "read known answers", [&] { choose_examples(); });
    runner_.plan(at_most_, 0);
    tell_plan(context_, {&runner_});
    if (context_.options.dry_run) return 0;
    runner_.load();
    std::size_t failed = 0;
    std::string first;
    for (const shard::ExampleInfo* example : examples_) {
      const std::string difference = run_example(*example);
      if (difference.empty()) continue;
      if (failed++ == 0) first = difference;
    }
    const std::size_t total = examples_.size();
    comm::together(world_, "print outputs", [&] {
      if (world_.rank() != 0) return;
      print(failed == 0 ? fmt::format("check: PASS {}/{}\n", total, total)
                        : fmt::format("check: FAIL {}/{} {}\n", failed, total, first));
    });
    return failed == 0 ? 0 : static_cast<int>(Fault::check_failed);
  }

 private:
  void choose_examples() {
    examples_ = examples_of(context_.model, runner_.signature());
    for (const shard::ExampleInfo* example : examples_) {
      for (const auto& [symbol, value] : symbols_of_example(*example)) {
        std::int64_t& most = at_most_.try_emplace(symbol, value).first->second;
        most = std::max(most, value);
      }
    }
    if (examples_.empty()) {
      fail(Fault::data, fmt::format("--check: the model has no known answers for {}; see "
                                    "/examples in docs/model-format.md",
                                    runner_.signature().label()));
    }
  }

  const shard::TensorInfo& dataset(const std::vector<shard::ExampleTensor>& tensors,
                                   const std::string& name, const shard::ExampleInfo& example) {
    for (const shard::ExampleTensor& tensor : tensors) {
      if (tensor.data.name == name) return tensor.data;
    }
    fail(Fault::data, fmt::format("example {} has no input {}", example.index, name));
  }

  shard::Symbols symbols_of_example(const shard::ExampleInfo& example) {
    const std::vector<shard::ValueSpec>& inputs = runner_.signature().inputs;
    for (const shard::ExampleTensor& given : example.inputs) {
      const bool known = std::any_of(inputs.begin(), inputs.end(), [&](const auto& spec) {
        return spec.name == given.data.name;
      });
      if (known) continue;
      fail(Fault::data, fmt::format("example {}: {} has no input {}", example.index,
                                    runner_.signature().label(), given.data.name));
    }
    shard::Symbols symbols;
    for (const shard::ValueSpec& spec : inputs) {
      const shard::TensorInfo& data = dataset(example.inputs, spec.name, example);
      bool fits =
          data.shape.size() == spec.shape.size() && file_.compute_dtype(data.path) == spec.dtype;
      for (std::size_t d = 0; fits && d < data.shape.size(); ++d) {
        const shard::Extent& extent = spec.shape[d];
        const std::int64_t wanted =
            extent.symbol.empty() ? extent.value
                                  : symbols.try_emplace(extent.symbol, data.shape[d]).first->second;
        fits = wanted == data.shape[d];
      }
      if (!fits) {
        fail(Fault::data, fmt::format("example {}: input {} is {} {}, which {} does not take",
                                      example.index, spec.name, name_of(data.stored),
                                      to_text(data.shape), runner_.signature().label()));
      }
    }
    return symbols;
  }

  // What differs first; "" when everything agrees. The comparison is rank 0's, told to all.
  std::string run_example(const shard::ExampleInfo& example) {
    Feed feed;
    feed.fill = [&](std::size_t i, const View& view) {
      const shard::TensorInfo& data =
          dataset(example.inputs, runner_.signature().inputs[i].name, example);
      file_.read(data.path, whole_box(data.shape), view.data);
    };
    runner_.run(symbols_of_example(example), feed);
    for (std::size_t i = 0; i < runner_.output_count(); ++i) {
      const View view = runner_.output(i);
      hashes_agree(world_, "output " + runner_.signature().outputs[i],
                   sha256_hex(view.data, view.bytes()));
    }
    std::string difference;
    comm::together(world_, "compare known answers", [&] {
      for (const shard::ExampleTensor& want : example.outputs) {
        if (difference.empty()) difference = compare(want, example);
      }
    });
    return difference;
  }

  std::string compare(const shard::ExampleTensor& want, const shard::ExampleInfo& example) {
    const std::vector<std::string>& names = runner_.signature().outputs;
    const auto at = std::find(names.begin(), names.end(), want.data.name);
    if (at == names.end()) {
      fail(Fault::data, fmt::format("example {}: {} has no output {}", example.index,
                                    runner_.signature().label(), want.data.name));
    }
    const View got = runner_.output(static_cast<std::size_t>(at - names.begin()));
    if (got.shape != want.data.shape || got.dtype != file_.compute_dtype(want.data.path)) {
      return fmt::format("{} want {} {} got {} {}", want.data.name, name_of(want.data.stored),
                         to_text(want.data.shape), name_of(got.dtype), to_text(got.shape));
    }
    std::vector<std::byte> bytes(got.bytes());
    const View expected{bytes.data(), got.dtype, got.shape};
    file_.read(want.data.path, whole_box(got.shape), bytes.data());
    make_nan_canonical(expected);
    for (std::int64_t i = 0; i < got.count(); ++i) {
      if (agrees(expected, got, i, want.rtol, want.atol)) continue;
      return fmt::format("{}{} want {} got {}", want.data.name, index_text(i, got.shape),
                         element_text(expected, i), element_text(got, i));
    }
    return "";
  }

  const Context& context_;
  comm::Communicator& world_;
  Runner runner_;
  shard::ModelFile& file_;  // that the examples are in
  std::vector<const shard::ExampleInfo*> examples_;
  shard::Symbols at_most_;
};

}  // namespace

int run_check(const Context& context) { return Check(context).run(); }

}  // namespace tpinfer::launch
