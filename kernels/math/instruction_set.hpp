// Which instructions the elementwise functions and row reductions use, by Highway's names: "AVX3"
// (AVX-512), "AVX2", "NEON"; the last is the compiler's baseline, "SCALAR" or "EMU128" where that
// has no fused multiply-add in vectors. The results have the same bits with each of them.
#pragma once

#include <string>
#include <vector>

namespace tpinfer::kernels {

// Those that this program and this machine have, the best first.
std::vector<std::string> instruction_sets();

// The one in use: the best, unless another was chosen.
std::string instruction_set();

// For tests and comparisons: from now on this one of instruction_sets(), "" for the best. Throws
// Fault::config for any other name. Not while another thread computes.
void use_instruction_set(const std::string& name);

}  // namespace tpinfer::kernels
