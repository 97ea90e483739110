#include "runtime/load_weight.hpp"

#include <algorithm>
#include <vector>

#include "kernels/base/view.hpp"
#include "runtime/ops/strided_copy.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/plan/weight_boxes.hpp"

namespace tpinfer::runtime {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

// out[i][j] = stored[j][i], by slabs of the dataset's rows: two slabs are in memory beside `out`.
void load_transposed(shard::ModelFile& file, const std::string& path, const Box& stored,
                     void* out) {
  const DType dtype = file.compute_dtype(path);
  const std::size_t item = size_of(dtype);
  const Shape turned{stored.extent[1], stored.extent[0]};
  const Piece whole{{out, dtype, turned}, whole_box(turned), turned};
  std::vector<std::byte> rows, columns;
  shard::for_each_slab(stored, static_cast<std::int64_t>(kSlabBytes / item), [&](const Box& slab) {
    const Box place{{slab.offset[1] - stored.offset[1], slab.offset[0] - stored.offset[0]},
                    {slab.extent[1], slab.extent[0]}};
    rows.resize(std::max(rows.size(), byte_count(slab.extent, dtype)));
    columns.resize(rows.size());
    file.read(path, slab, rows.data());
    strided_copy(rows.data(), 0, {1, slab.extent[1]}, columns.data(), place.extent, item);
    copy_common({{columns.data(), dtype, place.extent}, place, turned}, whole);
  });
}

}  // namespace

void load_weight(shard::ModelFile& file, const shard::WeightView& view, const Box& box, void* out) {
  if (box.empty()) return;
  const Box stored = shard::stored_box(view, box);
  const std::string path = "/weights/" + view.dataset;
  if (view.transposed) return load_transposed(file, path, stored, out);
  file.read(path, stored, out);
}

}  // namespace tpinfer::runtime
