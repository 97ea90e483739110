#include "shard/file/read_integers.hpp"

namespace tpinfer::shard {

std::vector<std::int64_t> read_integers(ModelFile& file, const TensorInfo& weight) {
  const Box box = whole_box(weight.shape);
  std::vector<std::int64_t> values(static_cast<std::size_t>(element_count(weight.shape)));
  if (weight.stored == DType::i64) {
    file.read(weight.path, box, values.data());
    return values;
  }
  std::vector<std::int32_t> narrow(values.size());
  file.read(weight.path, box, narrow.data());
  values.assign(narrow.begin(), narrow.end());
  return values;
}

}  // namespace tpinfer::shard
