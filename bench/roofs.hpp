// What one core of this machine can do at best, measured in the same rounds as the kernels.
#pragma once

#include <cstdint>

namespace tpinfer::bench {

// Independent chains of fused multiply-adds in registers, with the widest vectors of this CPU.
// Returns the floating-point operations of a call (two per multiply-add and lane).
double multiply_add_in_registers();

// Reads all of x in four streams with the same vectors.
void read_all(const float* x, std::int64_t count);

}  // namespace tpinfer::bench
