#include "shard/layout/tensor_cuts.hpp"

#include "kernels/base/error.hpp"

namespace tpinfer::shard {

bool says_the_same(const TensorMap& map, const Shape& shape,
                   const std::vector<std::vector<Box>>& boxes) {
  if (map.ranks() != static_cast<std::int64_t>(boxes.size())) return false;
  try {
    for (std::size_t rank = 0; rank < boxes.size(); ++rank) {
      const Box said = slice_of("", map, shape, static_cast<std::int64_t>(rank));
      if (boxes[rank].size() != 1 || boxes[rank][0] != said) return false;
    }
  } catch (const Error&) {  // the cut is uneven
    return false;
  }
  return true;
}

}  // namespace tpinfer::shard
