#include "runtime/load_weight.hpp"

#include <utility>
#include <vector>

#include "runtime/ops/strided_copy.hpp"

namespace tpinfer::runtime {

void load_weight(shard::ModelFile& file, const shard::WeightView& view, const Box& box, void* out) {
  if (box.empty()) return;
  Box stored = box;
  if (view.transposed) {
    std::swap(stored.offset[0], stored.offset[1]);
    std::swap(stored.extent[0], stored.extent[1]);
  }
  for (std::size_t d = 0; d < stored.offset.size(); ++d) stored.offset[d] += view.box.offset[d];
  const std::string path = "/weights/" + view.dataset;
  if (!view.transposed) {
    file.read(path, stored, out);
    return;
  }
  const DType dtype = file.compute_dtype(path);
  std::vector<std::byte> rows(byte_count(stored.extent, dtype));
  file.read(path, stored, rows.data());
  const Shape strides = strides_of(stored.extent);
  strided_copy(rows.data(), 0, {strides[1], strides[0]}, out, box.extent, size_of(dtype));
}

}  // namespace tpinfer::runtime
