// Who holds which part of a tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "shard/layout/mesh.hpp"

namespace tpinfer::shard {

// What one mesh axis does to a tensor.
struct Placement {
  enum class Kind : std::uint8_t {
    replicate,  // every rank of the axis holds the same
    shard,      // dimension `dim` is cut over the axis
    partial,    // every rank holds some of the terms of a sum (its roots), not yet added
    stage,      // only the ranks of pipeline stage `dim` hold it
  };
  Kind kind = Kind::replicate;
  int dim = 0;  // for shard and stage
  bool operator==(const Placement&) const = default;
};

// How a cut dimension is divided: in whole units of `grain` elements (the inner extent of a
// compound dimension), either evenly or in whole leaves of the canonical sum (docs/determinism.md).
struct Division {
  std::int64_t grain = 1;
  bool by_leaf = false;
  bool operator==(const Division&) const = default;
};

// One placement per mesh axis and one division per dimension. A dimension cut by several axes is
// divided over their product, the first axis major.
//   tensor (6,8) on mesh {a 2, b 3}, [S1 S0]: rank 4 = (1,1) holds rows 2:4, columns 4:8
struct Layout {
  std::vector<Placement> placements;
  std::vector<Division> divisions;
  bool operator==(const Layout&) const = default;

  bool replicated() const;
  bool partial() const;
  // The pipeline stage that holds the tensor; -1 = all.
  int stage() const;
  // The mesh axes that cut dimension `dim`, in mesh order.
  std::vector<int> axes_of(int dim) const;
  // The mesh axes whose placement is partial.
  std::vector<int> partial_axes() const;
};

// Everything whole everywhere.
Layout replicate(const Mesh& mesh, std::size_t dims);

// The same ranks hold it, whole.
Layout gathered(Layout layout);

// `layout` with dimension `dim` cut over `axes`. The division is normalised: by_leaf is dropped
// where it cuts at the same places as an even division, so that equal boxes are equal layouts.
void cut(Layout& layout, const Mesh& mesh, const Shape& shape, int dim,
         const std::vector<int>& axes, Division division);

// The range of a dimension that `rank` gets when `axes` of the mesh cut it.
Range divide(std::int64_t extent, const Mesh& mesh, const std::vector<int>& axes, int rank,
             Division division);

// Whether a rank holds any of a tensor, as far as pipeline stages say.
bool holds(const Layout& layout, const Mesh& mesh, int rank);

// The part of a tensor that `rank` holds: THE place where tensors are divided among ranks.
// Partial axes do not shrink the box. Empty on the ranks of other stages (a scalar cannot be
// empty: ask holds()).
Box local_box(const Shape& shape, const Layout& layout, const Mesh& mesh, int rank);

// "[S0 R]", "[P]", "[@1 R]" (held by stage 1); a division other than the plain one follows:
// "[S1/leaf]", "[S0/8]".
std::string to_text(const Layout& layout);

}  // namespace tpinfer::shard
