// Matrix products with bits of their own definition (docs/determinism.md), not a library's:
//
//   y[m,n] = sum over k of x[m,k] w[k,n]
//
// The contraction is divided into leaves (leaves.hpp). A leaf's sum starts at +0; blocks of at most
// 256 k are added to it from left to right; a block is one chain of fused multiply-adds from +0 in
// ascending k. Leaf sums are added along the tree. A row never depends on its neighbours, nor a
// column, so any division of the work gives the same bits; so does every family of kernels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/box.hpp"

namespace tpinfer::kernels {

// Who computes. `reference` is the definition, scalar and slow. The others compute tiles with a
// library, at tile shapes where it was seen to follow the definition on this CPU; few rows (one for
// blas, up to eight for eigen) are chains of Eigen's vector instructions.
enum class Family { reference, eigen, blas };

std::string_view name_of(Family family);

// The BLAS behind Family::blas: "OpenBLAS 0.3.21".
std::string blas_version();

// Throws Fault::usage naming the legal values.
Family parse_family(std::string_view name);

// x [m][k.size()] times w [k.size()][n], both dense and row-major: a rank's part `k` of the whole
// contraction [0, contraction), which may be cut only at multiples of `unit`.
struct MatmulProblem {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t contraction = 0;
  std::int64_t unit = 1;
  Range k;  // whole leaves, or empty
};

// The nodes of the tree whose sums this part computes; none when k is empty. A problem with all of
// a contraction has one root: the result. combine_roots turns "none at all" into +0.
std::vector<Range> roots_of(const MatmulProblem& problem);

// Writes out[r][m][n] for each of roots_of(problem). `out` must not overlap x or w. Uses the
// process's threads. Throws Fault::internal when k is not made of whole leaves.
void matmul_roots(Family family, const MatmulProblem& problem, const float* x, const float* w,
                  float* out);

// out[m][n] = x[m][k] w[k][n] by one library product per thread (a strip of columns): the bits are
// the library's (--fast). `reference` still computes by the definition.
void matmul_fast(Family family, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                 const float* w, float* out);

// Compares the library with the definition at every tile shape that these problems need, so that
// later calls find the answer; a shape that differs goes to the next best kernel. Costs up to two
// milliseconds per shape; without it the first matmul of a shape pays. Set the thread count before:
// tiles depend on it. Returns what was found: "blas 3/4, chain 1/4 tile shapes".
std::string prove(Family family, std::span<const MatmulProblem> problems);

}  // namespace tpinfer::kernels
