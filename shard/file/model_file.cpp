#include "shard/file/model_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/formats/decode.hpp"
#include "shard/file/chunked_reader.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

void check_box(const DatasetInfo& info, const Box& box) {
  bool inside = box.offset.size() == info.shape.size() && box.extent.size() == info.shape.size();
  for (std::size_t d = 0; inside && d < info.shape.size(); ++d) {
    inside = box.offset[d] >= 0 && box.extent[d] >= 0 && box.offset[d] <= info.shape[d] &&
             box.extent[d] <= info.shape[d] - box.offset[d];
  }
  if (!inside) {
    fail(Fault::data, fmt::format("{}: wanted {}, the dataset has shape {}", info.path,
                                  to_text(box), to_text(info.shape)));
  }
}

// The dimensions of `box` from this one on lie in one run of the file: those after it are whole.
std::size_t first_run_dimension(const Shape& shape, const Box& box) {
  std::size_t d = shape.size();
  while (d > 0 && box.extent[d - 1] == shape[d - 1]) --d;
  return d > 0 ? d - 1 : 0;
}

}  // namespace

ModelFile::ModelFile(ModelTable table) : table_(std::move(table)), file_(table_.path) {
  const FileIdentity wanted{table_.file_bytes, table_.mtime_ns, table_.sample_hash};
  const FileIdentity found = file_.identity();
  if (found != wanted) {
    fail(Fault::disagreement,
         fmt::format("{}: is not the file that was checked: {} bytes, sample {}, changed at {} ns; "
                     "wanted {} bytes, sample {}, {} ns: give every host the same copy (cp -p)",
                     printable(table_.path), found.bytes, found.sample_hash.substr(0, 12),
                     found.mtime_ns, wanted.bytes, wanted.sample_hash.substr(0, 12),
                     wanted.mtime_ns));
  }
  for (const DatasetInfo& weight : table_.weights) datasets_[weight.path] = &weight;
  for (const ExampleInfo& example : table_.examples) {
    for (const ExampleTensor& input : example.inputs) datasets_[input.data.path] = &input.data;
    for (const ExampleTensor& output : example.outputs) datasets_[output.data.path] = &output.data;
  }
}

ModelFile::~ModelFile() = default;

const DatasetInfo& ModelFile::info(const std::string& dataset_path) const {
  const auto found = datasets_.find(dataset_path);
  if (found == datasets_.end()) {
    fail(Fault::data,
         fmt::format("{}: has no dataset {}", printable(table_.path), printable(dataset_path)));
  }
  return *found->second;
}

DType ModelFile::compute_dtype(const std::string& dataset_path) const {
  return kernels::compute_dtype(info(dataset_path).stored);
}

const Shape& ModelFile::shape(const std::string& dataset_path) const {
  return info(dataset_path).shape;
}

void ModelFile::read(const std::string& dataset_path, const Box& box, void* out) {
  const DatasetInfo& dataset = info(dataset_path);
  check_box(dataset, box);
  const std::int64_t count = element_count(box.extent);
  if (count == 0) return;
  if (dataset.contiguous) {
    if (dataset.stored_bytes != byte_count(dataset.shape, dataset.stored)) {
      fail(Fault::data, dataset.path + ": was never written: the file holds no data for it");
    }
    read_contiguous(dataset, box, out);
  } else {
    if (!chunked_) chunked_ = std::make_unique<ChunkedReader>(file_);
    chunked_->read(dataset, box, kSlabBytes, out);
  }
  bytes_read_ += static_cast<std::size_t>(count) * size_of(dataset.stored);
}

// Goes over the outer dimensions like an odometer; each position is one run of the file.
void ModelFile::read_contiguous(const DatasetInfo& info, const Box& box, void* out) {
  const Shape strides = strides_of(info.shape);
  const std::size_t inner = first_run_dimension(info.shape, box);
  const std::int64_t run = info.shape.empty() ? 1 : box.extent[inner] * strides[inner];
  const std::size_t run_bytes =
      static_cast<std::size_t>(run) * size_of(kernels::compute_dtype(info.stored));
  auto* to = static_cast<unsigned char*>(out);
  Shape at = box.offset;
  while (true) {
    std::int64_t element = 0;
    for (std::size_t d = 0; d < at.size(); ++d) element += at[d] * strides[d];
    read_run(info, element, run, to);
    to += run_bytes;
    std::size_t d = inner;
    while (d > 0 && ++at[d - 1] == box.offset[d - 1] + box.extent[d - 1]) {
      at[d - 1] = box.offset[d - 1];
      --d;
    }
    if (d == 0) return;
  }
}

void ModelFile::read_run(const DatasetInfo& info, std::int64_t element, std::int64_t count,
                         void* out) {
  const std::size_t stored = size_of(info.stored);
  const std::size_t computed = size_of(kernels::compute_dtype(info.stored));
  const auto most = static_cast<std::int64_t>(kSlabBytes / stored);
  auto* to = static_cast<unsigned char*>(out);
  while (count > 0) {
    const std::int64_t now = std::min(count, most);
    const std::size_t bytes = static_cast<std::size_t>(now) * stored;
    void* target = to;
    if (stored != computed) {
      slab_.resize(std::max(slab_.size(), bytes));
      target = slab_.data();
    }
    file_.read(info.offset + static_cast<std::uint64_t>(element) * stored, target, bytes);
    kernels::decode(info.stored, target, to, now);
    beat();
    element += now;
    count -= now;
    to += static_cast<std::size_t>(now) * computed;
  }
}

void ModelFile::check_unchanged() const {
  const FileIdentity now = file_.state();
  if (now.bytes != table_.file_bytes || now.mtime_ns != table_.mtime_ns) {
    fail(Fault::data, fmt::format("{}: changed while loading: run again with a file that nobody "
                                  "writes to",
                                  printable(table_.path)));
  }
}

}  // namespace tpinfer::shard
