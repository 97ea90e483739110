#include "launch/job/restore_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "launch/outputs.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

Shape shape_of(const shard::ValueSpec& spec, const shard::Symbols& symbols) {
  Shape shape;
  for (const shard::Extent& extent : spec.shape) {
    shape.push_back(extent.symbol.empty() ? extent.value : symbols.at(extent.symbol));
  }
  return shape;
}

}  // namespace

std::string inputs_text(const std::vector<InputSource>& inputs, const shard::Symbols& symbols) {
  std::string text;
  for (const InputSource& input : inputs) {
    text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", input.spec().name,
                        name_of(input.spec().dtype), to_text(shape_of(input.spec(), symbols)));
  }
  return text;
}

bool in_rows(const shard::ValueSpec& input, const std::string& batch) {
  return !input.shape.empty() && !batch.empty() && input.shape[0].symbol == batch;
}

void restore_inputs(RunJob& job, std::vector<InputSource>& inputs, const shard::Symbols& symbols,
                    const std::string& batch, bool check_finite) {
  if (job.rows_done() == 0) return;
  for (InputSource& input : inputs) {
    const shard::ValueSpec& spec = input.spec();
    Shape shape = shape_of(spec, symbols);
    std::int64_t all = shape.empty() ? 1 : shape[0];
    if (in_rows(spec, batch)) all = std::min(all, job.rows_done());
    if (!shape.empty()) shape[0] = 1;
    const std::size_t row_bytes = std::max<std::size_t>(1, byte_count(shape, spec.dtype));
    const auto step = static_cast<std::int64_t>(std::max<std::size_t>(1, kSlabBytes / row_bytes));
    for (std::int64_t begin = 0; begin < all; begin += step) {
      const Range rows{begin, std::min(all, begin + step)};
      if (!shape.empty()) shape[0] = rows.size();
      std::vector<std::byte> bytes(byte_count(shape, spec.dtype));
      const View view{bytes.data(), spec.dtype, shape};
      input.read(rows, view);
      if (check_finite) refuse_not_finite("input " + spec.name, view);
      job.add_input(spec.name, view);
    }
  }
  job.check_inputs();
}

}  // namespace tpinfer::launch
