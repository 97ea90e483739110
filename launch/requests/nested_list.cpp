#include "launch/requests/nested_list.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::size_t kMaxRank = 8;

bool exact(std::int64_t value) {
  constexpr std::int64_t kAlways = std::int64_t{1} << 24;
  if (value >= -kAlways && value <= kAlways) return true;
  // 2^63 itself would not come back.
  const auto as_float = static_cast<float>(value);
  return as_float < 0x1p63F && static_cast<std::int64_t>(as_float) == value;
}

template <typename T>
void copy_integers(const std::vector<std::int64_t>& from, const View& out) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto value = static_cast<T>(from[i]);
    const bool negative_lost = std::is_unsigned_v<T> && from[i] < 0;
    if (static_cast<std::int64_t>(value) != from[i] || negative_lost) {
      fail(Fault::data,
           fmt::format("{} at element {} is outside {}", from[i], i, name_of(out.dtype)));
    }
    out.as<T>()[i] = value;
  }
}

void copy_integers(const std::vector<std::int64_t>& from, const View& out) {
  switch (out.dtype) {
    case DType::i8:
      return copy_integers<std::int8_t>(from, out);
    case DType::u8:
      return copy_integers<std::uint8_t>(from, out);
    case DType::i16:
      return copy_integers<std::int16_t>(from, out);
    case DType::u16:
      return copy_integers<std::uint16_t>(from, out);
    case DType::i32:
      return copy_integers<std::int32_t>(from, out);
    case DType::u32:
      return copy_integers<std::uint32_t>(from, out);
    case DType::u64:
      return copy_integers<std::uint64_t>(from, out);
    default:
      return copy_integers<std::int64_t>(from, out);
  }
}

}  // namespace

void NestedList::reject(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

void NestedList::open() {
  if (!problem_.empty()) return;
  if (leaf_depth_ >= 0 && static_cast<int>(counts_.size()) >= leaf_depth_) {
    return reject(fmt::format("a list where dimension {} has numbers", counts_.size()));
  }
  if (!counts_.empty()) ++counts_.back();
  counts_.push_back(0);
  if (counts_.size() > kMaxRank) return reject(fmt::format("more than {} dimensions", kMaxRank));
  if (extents_.size() < counts_.size()) extents_.push_back(-1);
}

void NestedList::close() {
  if (!problem_.empty()) return;
  const std::int64_t count = counts_.back();
  counts_.pop_back();
  std::int64_t& extent = extents_[counts_.size()];
  if (extent < 0) extent = count;
  if (extent != count) {
    reject(fmt::format("ragged list: a size of {} along dimension {}, expected {}", count,
                       counts_.size(), extent));
  }
}

// Where the next element stands, and that it is of the same kind as those before.
bool NestedList::element(Kind kind) {
  if (!problem_.empty()) return false;
  const auto depth = static_cast<int>(counts_.size());
  if (leaf_depth_ < 0) leaf_depth_ = depth;
  if (depth != leaf_depth_ || extents_.size() != counts_.size()) {
    reject(fmt::format("a number where dimension {} has lists", depth));
    return false;
  }
  if (!counts_.empty()) ++counts_.back();
  if ((kind == Kind::booleans) != (kind_ == Kind::booleans) && kind_ != Kind::none) {
    reject("a list that mixes numbers with true and false");
    return false;
  }
  return true;
}

void NestedList::push_real(std::int64_t value) {
  if (inexact_.empty() && !exact(value)) inexact_ = fmt::format("{}", value);
  reals_.push_back(static_cast<float>(value));
}

void NestedList::integer(std::int64_t value) {
  if (!element(Kind::integers)) return;
  if (kind_ == Kind::reals) return push_real(value);
  kind_ = Kind::integers;
  integers_.push_back(value);
}

void NestedList::large_integer(std::uint64_t value) { real(fmt::format("{}", value)); }

void NestedList::real(const std::string& text) {
  if (!element(Kind::reals)) return;
  if (kind_ == Kind::integers) {
    for (const std::int64_t value : integers_) push_real(value);
    integers_ = {};
  }
  kind_ = Kind::reals;
  const float value = std::strtof(text.c_str(), nullptr);
  if (std::isinf(value)) return reject(fmt::format("{} is beyond float32", text));
  const bool digits_only =
      text.find_first_not_of("0123456789", text.starts_with('-') ? 1 : 0) == std::string::npos;
  if (digits_only && inexact_.empty() && text != fmt::format("{:.0f}", value)) inexact_ = text;
  reals_.push_back(value);
}

void NestedList::boolean(bool value) {
  if (!element(Kind::booleans)) return;
  kind_ = Kind::booleans;
  integers_.push_back(value ? 1 : 0);
}

void NestedList::copy_to(const View& out) const {
  beat();
  if (!problem_.empty()) fail(Fault::data, problem_);
  const char* kinds[] = {"nothing", "integers", "floats", "true and false"};
  const bool fits = kind_ == Kind::none || (out.dtype == DType::f32 && kind_ != Kind::booleans) ||
                    (out.dtype == DType::boolean && kind_ == Kind::booleans) ||
                    (is_integer(out.dtype) && kind_ == Kind::integers);
  if (!fits) {
    fail(Fault::data, fmt::format("the list holds {}, the model wants {}",
                                  kinds[static_cast<int>(kind_)], name_of(out.dtype)));
  }
  if (out.dtype != DType::f32) {
    if (out.dtype != DType::boolean) return copy_integers(integers_, out);
    for (std::size_t i = 0; i < integers_.size(); ++i) {
      out.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(integers_[i]);
    }
    return;
  }
  std::string inexact = inexact_;
  for (std::size_t i = 0; i < integers_.size(); ++i) {
    if (inexact.empty() && !exact(integers_[i])) inexact = fmt::format("{}", integers_[i]);
    out.as<float>()[i] = static_cast<float>(integers_[i]);
  }
  if (!inexact.empty()) {
    fail(Fault::data, fmt::format("the integer {} has no exact float32; write {}.0 to round it",
                                  inexact, inexact));
  }
  if (!reals_.empty()) std::memcpy(out.data, reals_.data(), reals_.size() * sizeof(float));
}

}  // namespace tpinfer::launch
