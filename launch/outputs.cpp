#include "launch/outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "kernels/math/rows.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::uint32_t kNan = 0x7fc00000;

std::int64_t integer_at(DType dtype, const void* data, std::int64_t i) {
  switch (dtype) {
    case DType::i8:
      return static_cast<const std::int8_t*>(data)[i];
    case DType::u8:
      return static_cast<const std::uint8_t*>(data)[i];
    case DType::i16:
      return static_cast<const std::int16_t*>(data)[i];
    case DType::u16:
      return static_cast<const std::uint16_t*>(data)[i];
    case DType::i32:
      return static_cast<const std::int32_t*>(data)[i];
    case DType::u32:
      return static_cast<const std::uint32_t*>(data)[i];
    case DType::i64:
      return static_cast<const std::int64_t*>(data)[i];
    default:
      return static_cast<std::int64_t>(static_cast<const std::uint64_t*>(data)[i]);
  }
}

}  // namespace

void make_nan_canonical(const View& view) {
  if (view.dtype != DType::f32) return;
  auto* values = view.as<float>();
  for (std::int64_t i = 0; i < view.count(); ++i) {
    if (std::isnan(values[i])) values[i] = std::bit_cast<float>(kNan);
  }
}

std::optional<std::int64_t> first_not_finite(const View& view) {
  if (view.dtype != DType::f32) return std::nullopt;
  const auto* values = view.as<float>();
  for (std::int64_t i = 0; i < view.count(); ++i) {
    if (!std::isfinite(values[i])) return i;
  }
  return std::nullopt;
}

void refuse_not_finite(const std::string& what, const View& view) {
  const auto index = first_not_finite(view);
  if (!index) return;
  fail(Fault::data, fmt::format("--check-finite: {} has {} at element {} of {}", what,
                                element_text(view, *index), *index, to_text(view.shape)));
}

void OutputRecord::add(const View& rows) {
  hash_.update(rows.data, rows.bytes());
  for (std::int64_t i = 0; i < rows.count() && printed_ < head_; ++i, ++printed_) {
    values_ += element_text(rows, i) + " ";
  }
}

std::string OutputRecord::lines() const {
  return fmt::format(
      "tensor's name is:{} data size is:{} tensor elements num is:{}\n"
      "output data is: {}\n",
      spec_.name, byte_count(spec_.shape, spec_.dtype), element_count(spec_.shape), values_);
}

Accuracy::Accuracy(const std::string& source, const shard::ArraySpec& output)
    : labels_(shard::open_array(source, "labels")) {
  if (!is_integer(labels_->dtype) || labels_->shape.size() != 1) {
    fail(Fault::data, fmt::format("--labels {}: {} {}, one integer per row is wanted", source,
                                  name_of(labels_->dtype), to_text(labels_->shape)));
  }
  const bool classes =
      output.dtype == DType::f32 && output.shape.size() == 2 && output.shape[1] > 0;
  const bool indices = is_integer(output.dtype) && output.shape.size() == 1;
  if (!classes && !indices) {
    fail(Fault::data, fmt::format("--labels: output {} {} {} has no classes to compare",
                                  output.name, name_of(output.dtype), to_text(output.shape)));
  }
  if (labels_->shape[0] != output.shape[0]) {
    fail(Fault::data, fmt::format("--labels {}: {} labels for {} rows", source, labels_->shape[0],
                                  output.shape[0]));
  }
}

void Accuracy::add(const View& rows) {
  const std::int64_t count = rows.shape[0];
  std::vector<std::byte> labels(static_cast<std::size_t>(count) * size_of(labels_->dtype));
  labels_->read_rows({row_, row_ + count}, labels.data());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t found =
        rows.dtype == DType::f32
            ? kernels::row_argmax(rows.as<float>() + i * rows.shape[1], rows.shape[1])
            : integer_at(rows.dtype, rows.data, i);
    if (found == integer_at(labels_->dtype, labels.data(), i)) ++correct_;
  }
  row_ += count;
}

std::string Accuracy::line() const {
  const double share = row_ == 0 ? 0 : static_cast<double>(correct_) / static_cast<double>(row_);
  return fmt::format("accuracy {}/{} {:.4f}", correct_, row_, share);
}

}  // namespace tpinfer::launch
