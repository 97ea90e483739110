// Which library kernels follow the definition here: libraries choose their code by CPU and shape,
// so nothing but a comparison on this CPU, at this shape, can tell.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/math/matmul_kernels.hpp"

namespace tpinfer::kernels {
namespace {

// A row of x is repeated from this many rows on: every place in the tile is still compared, and
// the scalar definition has little to compute.
constexpr std::int64_t kDistinctRows = 4;

// Full 24-bit mantissas in [-1, 1): a different order of operations shows in most elements.
class Noise {
 public:
  std::vector<float> values(std::int64_t count) {
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& value : out) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      value = static_cast<float>(static_cast<std::int32_t>(state_ >> 32) >> 7) * 0x1p-24F;
    }
    return out;
  }

 private:
  std::uint64_t state_ = 1;
};

bool same_bits(const float* a, const float* b, std::int64_t count) {
  return std::equal(a, a + count, b, [](float left, float right) {
    return std::bit_cast<std::uint32_t>(left) == std::bit_cast<std::uint32_t>(right);
  });
}

struct Example {
  TileShape shape;
  std::vector<float> x, w, before, after;

  explicit Example(const TileShape& tile) : shape(tile) {
    Noise noise;
    const std::int64_t distinct = std::min(shape.rows, kDistinctRows);
    const std::int64_t row_size = shape.depth;
    x = noise.values(distinct * row_size);
    w = noise.values(shape.depth * shape.columns);
    before = noise.values(distinct * shape.columns);
    after = before;
    reference_tile({distinct, shape.columns, shape.depth}, x.data(), row_size, w.data(),
                   shape.columns, after.data());
    for (std::vector<float>* rows : {&x, &before, &after}) {
      const auto size = static_cast<std::int64_t>(rows->size()) / distinct;
      rows->reserve(static_cast<std::size_t>(shape.rows * size));
      for (std::int64_t i = distinct; i < shape.rows; ++i) {
        const auto from = static_cast<std::ptrdiff_t>((i % distinct) * size);
        rows->insert(rows->end(), rows->begin() + from, rows->begin() + from + size);
      }
    }
  }

  bool reproduced_by(TileFunction tile) const {
    std::vector<float> sum = before;
    tile(shape, x.data(), shape.depth, w.data(), shape.columns, sum.data());
    return same_bits(sum.data(), after.data(), shape.rows * shape.columns);
  }
};

// Best first.
std::vector<ProvenTile> candidates(Family family, const TileShape& shape) {
  if (family == Family::reference || !cpu_runs_eigen()) return {};
  std::vector<ProvenTile> kernels;
  if (!prefers_chain(family, shape.rows)) {
    if (family == Family::blas) kernels.push_back({blas_tile, "blas"});
    if (!prefers_chain(Family::eigen, shape.rows)) kernels.push_back({eigen_tile, "eigen"});
  }
  kernels.push_back({chain_tile, "chain"});
  return kernels;
}

ProvenTile first_proven(Family family, const TileShape& shape) {
  const std::vector<ProvenTile> kernels = candidates(family, shape);
  if (!kernels.empty()) {
    const Example example(shape);
    for (const ProvenTile& kernel : kernels) {
      if (example.reproduced_by(kernel.function)) return kernel;
    }
  }
  return {reference_tile, "reference"};
}

}  // namespace

bool cpu_runs_eigen() {
#if defined(__x86_64__) || defined(__i386__)
  static const bool runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return runs;
#else
  return true;
#endif
}

ProvenTile proven_tile(Family family, const TileShape& shape) {
  static std::mutex mutex;
  static std::map<std::pair<Family, TileShape>, ProvenTile> known;
  const std::lock_guard lock(mutex);
  const auto key = std::make_pair(family, shape);
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  return known.emplace(key, first_proven(family, shape)).first->second;
}

}  // namespace tpinfer::kernels
