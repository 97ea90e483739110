#include "shard/file/model_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/base/error.hpp"
#include "kernels/base/view.hpp"
#include "kernels/formats/decode.hpp"
#include "shard/file/chunked_reader.hpp"
#include "shard/file/contiguous_reader.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
constexpr std::size_t kManyFiles = 256;

// Copies in files that are open already come first.
enum Cost : int { kOpen, kClosed };

void check_box(const TensorInfo& tensor, const Box& box) {
  bool inside =
      box.offset.size() == tensor.shape.size() && box.extent.size() == tensor.shape.size();
  for (std::size_t d = 0; inside && d < tensor.shape.size(); ++d) {
    inside = box.offset[d] >= 0 && box.extent[d] >= 0 && box.offset[d] <= tensor.shape[d] &&
             box.extent[d] <= tensor.shape[d] - box.offset[d];
  }
  if (!inside) {
    fail(Fault::data, fmt::format("{}: wanted {}, the dataset has shape {}", tensor.path,
                                  to_text(box), to_text(tensor.shape)));
  }
}

void check_identity(const RawFile& file, const FileIdentity& wanted) {
  const FileIdentity found = file.identity();
  if (found == wanted) return;
  fail(
      Fault::disagreement,
      fmt::format("{}: is not the file that was checked: {} bytes, sample {}, changed at {} ns; "
                  "wanted {} bytes, sample {}, {} ns: give every host the same copy (cp -p)",
                  printable(file.path()), found.bytes, found.sample_hash.substr(0, 12),
                  found.mtime_ns, wanted.bytes, wanted.sample_hash.substr(0, 12), wanted.mtime_ns));
}

// The missing files that are known to hold elements of the holes; all when none is known to.
std::string missing_for(const ModelTable& table, const TensorInfo& tensor,
                        const std::vector<Box>& holes) {
  std::set<int> files;
  for (const Source& source : tensor.sources) {
    if (!table.files[static_cast<std::size_t>(source.file)].missing) continue;
    for (const Box& hole : holes) {
      if (!intersect(hole, source.box).empty()) files.insert(source.file);
    }
  }
  return files.empty() ? missing_text(table)
                       : missing_text(table, std::vector<int>(files.begin(), files.end()));
}

}  // namespace

struct ModelFile::OpenFile {
  explicit OpenFile(const std::string& path) : raw(path) {}
  RawFile raw;
  std::unique_ptr<ChunkedReader> chunked;  // opened when first needed
};

// Where the elements of a box go.
struct ModelFile::Target {
  void* data = nullptr;
  Box box;
  bool decode = false;  // else the elements stay as they are stored
};

ModelFile::ModelFile(ModelTable table) : table_(std::move(table)), open_(table_.files.size()) {
  if (open_.size() > kManyFiles) allow_many_files();
  for (const TensorInfo& weight : table_.weights) tensors_[weight.path] = &weight;
  for (const ExampleInfo& example : table_.examples) {
    for (const ExampleTensor& input : example.inputs) tensors_[input.data.path] = &input.data;
    for (const ExampleTensor& output : example.outputs) tensors_[output.data.path] = &output.data;
  }
}

ModelFile::~ModelFile() = default;

const TensorInfo& ModelFile::info(const std::string& path) const {
  const auto found = tensors_.find(path);
  if (found == tensors_.end()) {
    fail(Fault::data,
         fmt::format("{}: has no dataset {}", printable(table_.path), printable(path)));
  }
  return *found->second;
}

DType ModelFile::compute_dtype(const std::string& path) const {
  return kernels::compute_dtype(info(path).stored);
}

const Shape& ModelFile::shape(const std::string& path) const { return info(path).shape; }

ModelFile::OpenFile& ModelFile::open(int file) {
  std::unique_ptr<OpenFile>& place = open_[static_cast<std::size_t>(file)];
  if (!place) {
    const FileInfo& info = table_.files[static_cast<std::size_t>(file)];
    auto opened = std::make_unique<OpenFile>(info.path);
    check_identity(opened->raw, info.identity);
    place = std::move(opened);
    ++files_opened_;
  }
  return *place;
}

std::vector<Offer> ModelFile::offers_of(const TensorInfo& tensor) const {
  std::vector<Offer> offers;  // one per source
  for (const Source& source : tensor.sources) {
    const auto file = static_cast<std::size_t>(source.file);
    offers.push_back({source.box, open_[file] ? kOpen : kClosed, !table_.files[file].missing});
  }
  return offers;
}

Cover ModelFile::find(const TensorInfo& tensor, const Box& box) const {
  check_box(tensor, box);
  Cover found = cover(box, offers_of(tensor));
  if (found.holes.empty()) return found;
  fail(
      Fault::data,
      fmt::format("{}: {}{} is in no file{}", tensor.path, to_text(found.holes[0]),
                  found.holes.size() > 1 ? fmt::format(" and {} more", found.holes.size() - 1) : "",
                  missing_for(table_, tensor, found.holes)));
}

void ModelFile::prepare(const std::vector<BoxRequest>& reads) {
  // First the files that nobody can replace; then copies in those are preferred.
  for (const BoxRequest& request : reads) {
    const TensorInfo& tensor = info(request.path);
    const Cover found = find(tensor, request.box);
    const std::vector<Offer> offers = offers_of(tensor);
    for (const Cover::Part& part : found.parts) {
      const bool only = std::none_of(offers.begin(), offers.end(), [&](const Offer& other) {
        return &other != &offers[part.offer] && other.there && contains(other.box, part.box);
      });
      if (only) open(tensor.sources[part.offer].file);
    }
  }
  for (const BoxRequest& request : reads) {
    const TensorInfo& tensor = info(request.path);
    for (const Cover::Part& part : find(tensor, request.box).parts) {
      open(tensor.sources[part.offer].file);
    }
  }
}

void ModelFile::read(const std::string& path, const Box& box, void* out) {
  read_into(path, box, {out, box, true});
}

void ModelFile::read_stored(const std::string& path, const Box& box, void* out) {
  read_into(path, box, {out, box, false});
}

void ModelFile::read_copy(const TensorInfo& tensor, const Source& source, const Box& box,
                          void* out) {
  check_box(tensor, box);
  read_part(tensor, source, box, {out, box, false});
}

void ModelFile::read_into(const std::string& path, const Box& box, Target target) {
  const TensorInfo& tensor = info(path);
  for (const Cover::Part& part : find(tensor, box).parts) {
    read_part(tensor, tensor.sources[part.offer], part.box, target);
  }
}

// In slabs: straight into place where the elements lie together there and stay as they are, else by
// way of a buffer.
void ModelFile::read_part(const TensorInfo& tensor, const Source& source, const Box& part,
                          const Target& target) {
  const DType kept = target.decode ? kernels::compute_dtype(tensor.stored) : tensor.stored;
  const auto most =
      static_cast<std::int64_t>(kSlabBytes / std::max(size_of(tensor.stored), size_of(kept)));
  const Shape strides = strides_of(target.box.extent);
  for_each_slab(part, most, [&](const Box& slab) {
    const std::int64_t count = element_count(slab.extent);
    void* place = nullptr;
    if (is_one_run(target.box, slab)) {
      std::int64_t element = 0;
      for (std::size_t d = 0; d < strides.size(); ++d) {
        element += (slab.offset[d] - target.box.offset[d]) * strides[d];
      }
      place = static_cast<unsigned char*>(target.data) +
              static_cast<std::size_t>(element) * size_of(kept);
    }
    void* elements = place;
    if (!place || size_of(kept) != size_of(tensor.stored)) {
      stored_.resize(std::max(stored_.size(), byte_count(slab.extent, tensor.stored)));
      elements = stored_.data();
    }
    read_dataset(source, slab, elements);
    if (target.decode) {
      void* decoded = place ? place : elements;
      if (!place && size_of(kept) != size_of(tensor.stored)) {
        decoded_.resize(std::max(decoded_.size(), byte_count(slab.extent, kept)));
        decoded = decoded_.data();
      }
      kernels::decode(tensor.stored, elements, decoded, count);
      elements = decoded;
    }
    if (!place) {
      copy_common({{elements, kept, slab.extent}, slab, tensor.shape},
                  {{target.data, kept, target.box.extent}, target.box, tensor.shape});
    }
    bytes_read_ += byte_count(slab.extent, tensor.stored);
  });
}

void ModelFile::read_dataset(const Source& source, const Box& box, void* out) {
  Box inside = box;  // in the dataset's own coordinates
  for (std::size_t d = 0; d < box.offset.size(); ++d) {
    inside.offset[d] += source.at[d] - source.box.offset[d];
  }
  OpenFile& file = open(source.file);
  if (source.data.contiguous) {
    read_contiguous(file.raw, source.data, inside, out);
    return;
  }
  if (!file.chunked) file.chunked = std::make_unique<ChunkedReader>(file.raw);
  file.chunked->read(source.data, inside, out);
}

void ModelFile::release() {
  stored_ = {};
  decoded_ = {};
  for (const std::unique_ptr<OpenFile>& file : open_) {
    if (file && file->chunked) file->chunked->release();
  }
}

void ModelFile::check_unchanged() const {
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (!open_[i]) continue;
    const FileIdentity now = open_[i]->raw.state(), &then = table_.files[i].identity;
    if (now.bytes == then.bytes && now.mtime_ns == then.mtime_ns) continue;
    fail(Fault::data, fmt::format("{}: changed while loading: run again with a file that nobody "
                                  "writes to",
                                  printable(table_.files[i].path)));
  }
}

}  // namespace tpinfer::shard
