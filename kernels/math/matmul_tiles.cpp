#include "kernels/math/matmul_tiles.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <set>

#include "kernels/base/leaves.hpp"
#include "kernels/base/parallel.hpp"

namespace tpinfer::kernels {
namespace {

// The sums of a tile at five levels of the tree fit the L2 cache beside the packed operands.
constexpr std::int64_t kTileRows = 64;
constexpr std::int64_t kMinColumns = 64;
// Measured: Eigen gains by wide tiles; OpenBLAS has unpacked kernels for small products.
constexpr std::int64_t kEigenColumns = 336;
constexpr std::int64_t kBlasColumns = 192;
// Unpacked rows of w are read in long pieces.
constexpr std::int64_t kChainColumns = 512;
// Libraries see multiples of 16 columns, and never 32 more than a multiple of 48: Eigen computes
// the last 8 of 32 with two chains per column, and no other width leaves it 8 over.
constexpr std::int64_t kColumnGrain = 16;

struct Tile {
  Range rows;
  Range columns;
  std::int64_t width;  // columns, padded for the kernel
};

std::int64_t library_width(std::int64_t columns) {
  const std::int64_t grains = columns / kColumnGrain;
  return (grains % 3 == 2 ? grains - 1 : grains) * kColumnGrain;
}

// Columns of a full tile: as many as are good for the kernels, fewer if threads would idle.
std::int64_t full_width(Family family, const MatmulProblem& problem, std::int64_t row_tiles) {
  const std::int64_t share = (problem.n * row_tiles + thread_count() - 1) / thread_count();
  if (prefers_chain(family, problem.m)) return std::clamp(share, kMinColumns, kChainColumns);
  const std::int64_t most = family == Family::blas ? kBlasColumns : kEigenColumns;
  return library_width(std::clamp(share, kMinColumns, most));
}

std::vector<Tile> tiles_of(Family family, const MatmulProblem& problem) {
  const std::int64_t row_tiles = (problem.m + kTileRows - 1) / kTileRows;
  const std::int64_t full = full_width(family, problem, row_tiles);
  std::vector<Tile> tiles;
  for (std::int64_t begin = 0; begin < problem.n;) {
    std::int64_t width = std::min(full, problem.n - begin);
    if (!prefers_chain(family, problem.m)) width = std::max(kColumnGrain, library_width(width));
    const Range columns{begin, std::min(begin + width, problem.n)};
    for (int i = 0; i < row_tiles; ++i) {
      // The libraries' kernels take four rows at a time.
      const Range rows = split(problem.m, static_cast<int>(row_tiles), i, 4);
      tiles.push_back({rows, columns, width});
    }
    begin = columns.end;
  }
  return tiles;
}

// The blocks of a leaf, as ranges of the rank's own k.
template <typename Body>
void for_each_block(const MatmulProblem& problem, std::int64_t leaf, const Body& body) {
  const Range k = leaf_range(problem.contraction, problem.unit, static_cast<int>(leaf));
  for (std::int64_t begin = k.begin; begin < k.end; begin += kBlockDepth) {
    body(Range{begin - problem.k.begin, std::min(begin + kBlockDepth, k.end) - problem.k.begin});
  }
}

struct alignas(64) CacheLine {
  float values[16];
};

// Grows and stays; its contents do not survive growing.
class Scratch {
 public:
  float* of_size(std::int64_t floats) {
    const auto lines = static_cast<std::size_t>((floats + 15) / 16);
    if (lines_.size() < lines) lines_ = std::vector<CacheLine>(lines);
    return lines_.data()->values;
  }

 private:
  std::vector<CacheLine> lines_;
};

// Levels of the tree below `leaves` leaves, the top one included: 1 for one leaf, 5 for 16.
int levels_of(std::int64_t leaves) {
  int levels = 1;
  for (; leaves > 1; leaves -= leaves / 2) ++levels;
  return levels;
}

// One output tile of one problem.
class TileSum {
 public:
  TileSum(const MatmulProblem& problem, const float* x, const float* w, const Tile& tile,
          const std::map<TileShape, TileFunction>& functions)
      : problem_(problem),
        x_(x + tile.rows.begin * problem.k.size()),
        w_(w + tile.columns.begin),
        tile_(tile),
        functions_(functions),
        size_((tile.rows.size() * tile.width + 15) / 16 * 16) {}

  void write(Range root, float* out) {
    thread_local Scratch scratch;
    const std::int64_t padded_block = kColumnGrain * kBlockDepth;
    float* sums = scratch.of_size(padded_block + size_ * levels_of(root.size()));
    padded_ = sums;
    sums += padded_block;
    add_up(root, sums);
    for (std::int64_t i = 0; i < tile_.rows.size(); ++i) {
      const float* row = sums + i * tile_.width;
      std::copy(row, row + tile_.columns.size(),
                out + (tile_.rows.begin + i) * problem_.n + tile_.columns.begin);
    }
  }

 private:
  // Leaves the sum of `leaves` in the tile at `sum`; what follows it is working space.
  void add_up(Range leaves, float* sum) {
    if (leaves.size() == 1) {
      std::fill(sum, sum + size_, 0.0F);
      for_each_block(problem_, leaves.begin, [&](Range block) { add_block(block, sum); });
      return;
    }
    const std::int64_t middle = leaves.begin + leaves.size() / 2;
    float* right = sum + size_;
    add_up({leaves.begin, middle}, sum);
    add_up({middle, leaves.end}, right);
    for (std::int64_t i = 0; i < size_; ++i) sum[i] += right[i];
  }

  void add_block(Range block, float* sum) {
    const TileShape shape{tile_.rows.size(), tile_.width, block.size()};
    const float* columns = w_ + block.begin * problem_.n;
    std::int64_t stride = problem_.n;
    if (tile_.width != tile_.columns.size()) {
      pad(columns, block.size());
      columns = padded_;
      stride = tile_.width;
    }
    functions_.at(shape)(shape, x_ + block.begin, problem_.k.size(), columns, stride, sum);
  }

  // Only the last tile of a row of tiles is padded, and it is one grain wide.
  void pad(const float* columns, std::int64_t depth) {
    for (std::int64_t p = 0; p < depth; ++p) {
      float* row = padded_ + p * tile_.width;
      std::copy_n(columns + p * problem_.n, tile_.columns.size(), row);
      std::fill(row + tile_.columns.size(), row + tile_.width, 0.0F);
    }
  }

  const MatmulProblem& problem_;
  const float* x_;
  const float* w_;
  const Tile& tile_;
  const std::map<TileShape, TileFunction>& functions_;
  std::int64_t size_;  // of a tile, in floats: whole cache lines
  float* padded_ = nullptr;
};

std::set<TileShape> shapes_of(const MatmulProblem& problem, const std::vector<Tile>& tiles) {
  std::set<std::int64_t> depths;
  const Range leaves = leaves_within(problem.contraction, problem.unit, problem.k);
  for (std::int64_t leaf = leaves.begin; leaf < leaves.end; ++leaf) {
    for_each_block(problem, leaf, [&](Range block) { depths.insert(block.size()); });
  }
  std::set<TileShape> shapes;
  for (const Tile& tile : tiles) {
    for (const std::int64_t depth : depths) {
      shapes.insert({tile.rows.size(), tile.width, depth});
    }
  }
  return shapes;
}

}  // namespace

void tiled_roots(Family family, const MatmulProblem& problem, const float* x, const float* w,
                 float* out) {
  const std::vector<Range> roots = roots_of(problem);
  if (roots.empty()) return;
  const std::vector<Tile> tiles = tiles_of(family, problem);
  std::map<TileShape, TileFunction> functions;
  for (const TileShape& shape : shapes_of(problem, tiles)) {
    functions[shape] = proven_tile(family, shape).function;
  }
  std::mutex mutex;
  std::exception_ptr error;  // memory may run out on any thread; parallel_for takes no exceptions
  parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t t) {
    try {
      TileSum tile(problem, x, w, tiles[static_cast<std::size_t>(t)], functions);
      for (std::size_t r = 0; r < roots.size(); ++r) {
        tile.write(roots[r], out + static_cast<std::int64_t>(r) * problem.m * problem.n);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

std::vector<TileShape> tile_shapes(Family family, const MatmulProblem& problem) {
  const std::set<TileShape> shapes = shapes_of(problem, tiles_of(family, problem));
  return {shapes.begin(), shapes.end()};
}

}  // namespace tpinfer::kernels
