// Stored elements to the types that kernels compute with.
#pragma once

#include <cstdint>

#include "kernels/base/dtype.hpp"

namespace tpinfer::kernels {

// float32 for every floating type; integers and booleans are computed as they are stored.
DType compute_dtype(DType stored);

// Decodes `count` dense little-endian elements of type `stored` into compute_dtype(stored).
// float16 and bfloat16 are exact (NaN stays NaN, subnormals stay what they are); float64 is rounded
// once, to nearest even; a boolean becomes 0 or 1 whatever its byte. `out` may equal `in` only
// where an element keeps its size.
void decode(DType stored, const void* in, void* out, std::int64_t count);

float float_of_half(std::uint16_t bits);
float float_of_bfloat(std::uint16_t bits);

}  // namespace tpinfer::kernels
