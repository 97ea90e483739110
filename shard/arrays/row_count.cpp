#include "shard/arrays/row_count.hpp"

#include <fmt/format.h>

#include <utility>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

std::int64_t rows_of(const ArraySpec& array) { return array.shape.empty() ? 1 : array.shape[0]; }

}  // namespace

RowCount::RowCount(std::string path, std::vector<ArraySpec> arrays)
    : path_(std::move(path)), arrays_(std::move(arrays)), rows_done_(arrays_.size(), 0) {
  for (const ArraySpec& array : arrays_) {
    const auto rows = static_cast<std::size_t>(rows_of(array));
    row_bytes_.push_back(rows == 0 ? 0 : byte_count(array.shape, array.dtype) / rows);
  }
}

void RowCount::add(std::size_t output, std::int64_t rows) {
  const std::int64_t wanted = rows_of(arrays_.at(output));
  if (rows < 0 || rows > wanted - rows_done_[output]) {
    fail(Fault::internal, fmt::format("{}: {} rows after row {} of output {}, which has {}", path_,
                                      rows, rows_done_[output], arrays_[output].name, wanted));
  }
  rows_done_[output] += rows;
}

void RowCount::check_complete() const {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (rows_done_[i] == rows_of(arrays_[i]) || row_bytes_[i] == 0) continue;
    fail(Fault::internal, fmt::format("{}: only {} of {} rows of output {} were written", path_,
                                      rows_done_[i], rows_of(arrays_[i]), arrays_[i].name));
  }
}

}  // namespace tpinfer::shard
