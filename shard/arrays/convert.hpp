// Element types as they are stored, turned into the types that graphs compute with.
#pragma once

#include <cstdint>

#include "kernels/base/dtype.hpp"

namespace tpinfer::shard {

// Identical types; float64, float16 and bfloat16 to float32; an integer to int32 or int64 where
// every value of its type fits. An integer never becomes a float.
bool convertible(DType from, DType to);

// Converts `count` elements; `in` and `out` do not overlap. float64 rounds to nearest even, the
// other conversions are exact. Throws Fault::data unless convertible(from, to).
void convert_elements(DType from, const void* in, DType to, void* out, std::int64_t count);

}  // namespace tpinfer::shard
