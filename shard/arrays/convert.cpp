#include "shard/arrays/convert.hpp"

#include <fmt/format.h>

#include <cstring>

#include "kernels/base/error.hpp"
#include "kernels/formats/decode.hpp"

namespace tpinfer::shard {
namespace {

template <typename From, typename To>
void convert_each(const void* in, void* out, std::int64_t count) {
  const auto* source = static_cast<const From*>(in);
  auto* target = static_cast<To*>(out);
  for (std::int64_t i = 0; i < count; ++i) target[i] = static_cast<To>(source[i]);
}

using Conversion = void (*)(const void* in, void* out, std::int64_t count);

template <typename To>
Conversion widen(DType from) {
  switch (from) {
    case DType::i8:
      return convert_each<std::int8_t, To>;
    case DType::u8:
      return convert_each<std::uint8_t, To>;
    case DType::i16:
      return convert_each<std::int16_t, To>;
    case DType::u16:
      return convert_each<std::uint16_t, To>;
    case DType::i32:
      return convert_each<std::int32_t, To>;
    case DType::u32:
      return sizeof(To) > 4 ? convert_each<std::uint32_t, To> : nullptr;
    default:
      return nullptr;
  }
}

// The function between an integer type and a wider one; null when there is none.
Conversion widening(DType from, DType to) {
  if (to == DType::i32) return widen<std::int32_t>(from);
  if (to == DType::i64) return widen<std::int64_t>(from);
  return nullptr;
}

bool is_decoded(DType from, DType to) { return is_float(from) && to == DType::f32; }

}  // namespace

bool convertible(DType from, DType to) {
  return from == to || is_decoded(from, to) || widening(from, to) != nullptr;
}

void convert_elements(DType from, const void* in, DType to, void* out, std::int64_t count) {
  if (from == to) {
    // An empty array may have no memory at all.
    if (count > 0) std::memcpy(out, in, static_cast<std::size_t>(count) * size_of(from));
  } else if (is_decoded(from, to)) {
    kernels::decode(from, in, out, count);
  } else if (const Conversion convert = widening(from, to)) {
    convert(in, out, count);
  } else {
    fail(Fault::data, fmt::format("elements of type {} where {} is wanted; convert the array with "
                                  "numpy's astype('{}')",
                                  name_of(from), name_of(to), name_of(to)));
  }
}

}  // namespace tpinfer::shard
