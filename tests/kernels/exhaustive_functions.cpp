// Compares the vector form of every unary function with its scalar form on all 2^32 floats, with
// each instruction set of this machine. Takes minutes per function, so it is no unit test:
//   exhaustive_functions [--stride N] [FUNCTION ...]
// --stride N looks at every N-th bit pattern. Exit code 1 when an element differs, 64 for usage.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/math/instruction_set.hpp"
#include "tests/kernels/function_names.hpp"

namespace tpinfer::kernels {
namespace {

constexpr std::uint64_t patterns = std::uint64_t{1} << 32;
constexpr std::uint64_t block = 4096;

// The number of elements that differ; the first is printed.
std::uint64_t differences(const NamedFunction& f, const std::vector<std::string>& sets,
                          std::uint64_t stride) {
  std::vector<float> x(block), y(block), expected(block);
  std::uint64_t found = 0;
  for (std::uint64_t first = 0; first < patterns; first += block * stride) {
    const std::uint64_t left = (patterns - first + stride - 1) / stride;
    const std::size_t count = std::min(block, left);
    for (std::size_t i = 0; i < count; ++i) {
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first + i * stride));
      expected[i] = reference_unary(f.function, x[i], f.alpha, f.beta);
    }
    for (const std::string& set : sets) {
      use_instruction_set(set);
      unary(f.function, x.data(), y.data(), static_cast<std::int64_t>(count), f.alpha, f.beta);
      for (std::size_t i = 0; i < count; ++i) {
        const auto got = std::bit_cast<std::uint32_t>(y[i]);
        const auto want = std::bit_cast<std::uint32_t>(expected[i]);
        if (got != want && found++ == 0) {
          std::printf("%s(%a), %s: want %08x got %08x\n", f.name, static_cast<double>(x[i]),
                      set.c_str(), want, got);
        }
      }
    }
  }
  return found;
}

int run(std::uint64_t stride, const std::vector<std::string>& names) {
  // The baseline is the scalar form: nothing to compare, unless there is nothing else.
  std::vector<std::string> sets = instruction_sets();
  if (sets.size() > 1) sets.pop_back();
  bool same = true;
  for (const NamedFunction& f : unary_functions) {
    if (!names.empty() && std::find(names.begin(), names.end(), f.name) == names.end()) continue;
    const std::uint64_t found = differences(f, sets, stride);
    same = same && found == 0;
    std::printf("%-10s %10llu values x %zu instruction sets: %llu differ\n", f.name,
                static_cast<unsigned long long>((patterns + stride - 1) / stride), sets.size(),
                static_cast<unsigned long long>(found));
    std::fflush(stdout);
  }
  return same ? 0 : 1;
}

bool known(const std::string& name) {
  return std::any_of(unary_functions.begin(), unary_functions.end(),
                     [&](const NamedFunction& f) { return name == f.name; });
}

}  // namespace
}  // namespace tpinfer::kernels

int main(int argc, char** argv) {
  std::uint64_t stride = 1;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--stride" && i + 1 < argc) {
      stride = std::strtoull(argv[++i], nullptr, 10);
    } else {
      names.push_back(word);
    }
  }
  if (stride == 0 || !std::all_of(names.begin(), names.end(), tpinfer::kernels::known)) {
    std::fprintf(stderr, "usage: exhaustive_functions [--stride N] [FUNCTION ...]\n");
    return 64;
  }
  return tpinfer::kernels::run(stride, names);
}
