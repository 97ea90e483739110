#include "kernels/math/matmul.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/leaves.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/matmul_kernels.hpp"
#include "kernels/math/matmul_tiles.hpp"

namespace tpinfer::kernels {
namespace {

constexpr std::array<std::pair<Family, std::string_view>, 3> kNames = {{
    {Family::reference, "reference"},
    {Family::eigen, "eigen"},
    {Family::blas, "blas"},
}};

}  // namespace

std::string_view name_of(Family family) { return kNames[static_cast<std::size_t>(family)].second; }

Family parse_family(std::string_view name) {
  for (const auto& [family, text] : kNames) {
    if (text == name) return family;
  }
  fail(Fault::usage, fmt::format("unknown kernels '{}': use reference, eigen or blas", name));
}

std::vector<Range> roots_of(const MatmulProblem& problem) {
  return roots_of(leaves_within(problem.contraction, problem.unit, problem.k),
                  leaf_count(problem.contraction, problem.unit));
}

void matmul_roots(Family family, const MatmulProblem& problem, const float* x, const float* w,
                  float* out) {
  if (family == Family::reference) {
    reference_roots(problem, x, w, out);
  } else {
    tiled_roots(family, problem, x, w, out);
  }
}

void matmul_fast(Family family, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                 const float* w, float* out) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    std::fill(out, out + m * n, 0.0F);
    return;
  }
  if (family == Family::reference) {
    reference_roots({m, n, k, 1, {0, k}}, x, w, out);
    return;
  }
  const bool eigen = family == Family::eigen && cpu_runs_eigen();
  const auto product = eigen ? eigen_product : blas_product;
  constexpr std::int64_t kGrain = 64;
  const std::int64_t strip = (n + thread_count() - 1) / thread_count();
  parallel_ranges(n, (strip + kGrain - 1) / kGrain * kGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    product({m, end - begin, k}, x, k, w + begin, n, out + begin, n);
                  });
}

std::string prove(Family family, std::span<const MatmulProblem> problems) {
  std::set<TileShape> shapes;
  if (family != Family::reference) {
    for (const MatmulProblem& problem : problems) {
      const std::vector<TileShape> of_problem = tile_shapes(family, problem);
      shapes.insert(of_problem.begin(), of_problem.end());
    }
  }
  if (shapes.empty()) return std::string(name_of(family));
  std::map<std::string_view, int> counts;
  for (const TileShape& shape : shapes) ++counts[proven_tile(family, shape).name];
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{} {}/{}", text.empty() ? "" : ", ", name, count, shapes.size());
  }
  return text + " tile shapes";
}

}  // namespace tpinfer::kernels
