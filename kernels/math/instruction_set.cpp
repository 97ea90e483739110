#include "kernels/math/instruction_set.hpp"

#include "kernels/math/simd_targets.hpp"  // must come before Highway

#include <hwy/targets.h>

#include <cstdint>

#include "kernels/base/error.hpp"

namespace tpinfer::kernels {
namespace {

// The baseline needs no support from the machine; Highway does not count it as supported where
// there is something better.
std::int64_t available() { return (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET; }

// Better ones have the lower bits.
std::int64_t best_of(std::int64_t targets) { return targets & -targets; }

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (std::int64_t left = available(); left != 0; left &= left - 1) {
    names.emplace_back(hwy::TargetName(best_of(left)));
  }
  return names;
}

std::string instruction_set() { return hwy::TargetName(best_of(available())); }

void use_instruction_set(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);  // all of them again
  if (name.empty()) return;
  for (std::int64_t left = available(); left != 0; left &= left - 1) {
    if (name == hwy::TargetName(best_of(left))) {
      return hwy::SetSupportedTargetsForTest(best_of(left));
    }
  }
  fail(Fault::config, "instruction set " + name + ": this machine does not have it");
}

}  // namespace tpinfer::kernels
