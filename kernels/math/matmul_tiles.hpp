// The blocking that all fast kernels share: output tiles, leaves and the tree inside a tile.
// Internal to the matmul files of this folder.
#pragma once

#include <vector>

#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {

// matmul_roots by proven tiles; see matmul.hpp.
void tiled_roots(Family family, const MatmulProblem& problem, const float* x, const float* w,
                 float* out);

// Every tile shape that tiled_roots uses for this problem and the present thread count.
std::vector<TileShape> tile_shapes(Family family, const MatmulProblem& problem);

}  // namespace tpinfer::kernels
