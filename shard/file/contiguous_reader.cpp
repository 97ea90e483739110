#include "shard/file/contiguous_reader.hpp"

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::shard {
namespace {

// The dimensions of `box` from this one on lie in one run of the file: those after it are whole.
std::size_t first_run_dimension(const Shape& shape, const Box& box) {
  std::size_t d = shape.size();
  while (d > 0 && box.extent[d - 1] == shape[d - 1]) --d;
  return d > 0 ? d - 1 : 0;
}

}  // namespace

// Goes over the outer dimensions like an odometer; each position is one run of the file.
void read_contiguous(const RawFile& file, const DatasetInfo& info, const Box& box, void* out) {
  if (info.stored_bytes != byte_count(info.shape, info.stored)) {
    fail(Fault::data, info.path + ": was never written: the file holds no data for it");
  }
  const Shape strides = strides_of(info.shape);
  const std::size_t inner = first_run_dimension(info.shape, box);
  const std::int64_t run = info.shape.empty() ? 1 : box.extent[inner] * strides[inner];
  const std::size_t run_bytes = static_cast<std::size_t>(run) * size_of(info.stored);
  auto* to = static_cast<unsigned char*>(out);
  Shape at = box.offset;
  beat();
  while (true) {
    std::int64_t element = 0;
    for (std::size_t d = 0; d < at.size(); ++d) element += at[d] * strides[d];
    file.read(info.offset + static_cast<std::uint64_t>(element) * size_of(info.stored), to,
              run_bytes);
    to += run_bytes;
    std::size_t d = inner;
    while (d > 0 && ++at[d - 1] == box.offset[d - 1] + box.extent[d - 1]) {
      at[d - 1] = box.offset[d - 1];
      --d;
    }
    if (d == 0) return;
  }
}

}  // namespace tpinfer::shard
