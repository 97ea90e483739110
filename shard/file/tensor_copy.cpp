#include "shard/file/tensor_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/view.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

// All destinations of one box: it is cut out and hashed once.
struct Group {
  Box box;
  std::vector<Destination*> destinations;
  std::unique_ptr<Sha256> hash = std::make_unique<Sha256>();
  std::uint64_t written = 0;  // bytes
};

class TensorCopy {
 public:
  TensorCopy(ModelFile& source, const TensorInfo& tensor, const std::function<void()>& on_slab)
      : source_(source), tensor_(tensor), on_slab_(on_slab) {}

  void add(Destination& destination) {
    const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
      return group.box == destination.box;
    });
    Group& group = same != groups_.end() ? *same : groups_.emplace_back();
    group.box = destination.box;
    group.destinations.push_back(&destination);
  }

  // The hash of the whole tensor.
  std::string run() {
    source_.prepare({{tensor_.path, whole_box(tensor_.shape)}});
    // Slabs follow each other in C order, and so do their parts in every group.
    const auto most = static_cast<std::int64_t>(kSlabBytes / size_of(tensor_.stored));
    for_each_slab(whole_box(tensor_.shape), most, [&](const Box& slab) {
      slab_.resize(std::max(slab_.size(), byte_count(slab.extent, tensor_.stored)));
      source_.read_stored(tensor_.path, slab, slab_.data());
      whole_.update(slab_.data(), byte_count(slab.extent, tensor_.stored));
      for (Group& group : groups_) write(group, slab);
      if (on_slab_) on_slab_();
    });
    for (Group& group : groups_) {
      const std::string hash = group.hash->hex();
      for (Destination* destination : group.destinations) destination->hash = hash;
    }
    source_.release();
    return whole_.hex();
  }

 private:
  void write(Group& group, const Box& slab) {
    const Box part = intersect(group.box, slab);
    if (part.empty()) return;
    const std::size_t bytes = byte_count(part.extent, tensor_.stored);
    const unsigned char* data = slab_.data();
    if (part != slab) {
      part_.resize(std::max(part_.size(), bytes));
      copy_common({{slab_.data(), tensor_.stored, slab.extent}, slab, tensor_.shape},
                  {{part_.data(), tensor_.stored, part.extent}, part, tensor_.shape});
      data = part_.data();
    }
    group.hash->update(data, bytes);
    for (Destination* destination : group.destinations) {
      destination->file->write_at(destination->offset + group.written, data, bytes);
    }
    group.written += bytes;
  }

  ModelFile& source_;
  const TensorInfo& tensor_;
  const std::function<void()>& on_slab_;
  std::vector<Group> groups_;
  Sha256 whole_;
  std::vector<unsigned char> slab_, part_;
};

}  // namespace

std::map<std::string, std::string> copy_tensors(ModelFile& source,
                                                std::vector<Destination>& destinations,
                                                const std::function<void()>& on_slab) {
  std::map<std::string, std::vector<Destination*>> by_tensor;
  for (Destination& destination : destinations) by_tensor[destination.path].push_back(&destination);
  std::map<std::string, std::string> hashes;
  const ModelTable& table = source.table();
  for (const auto& [path, list] : by_tensor) {
    const TensorInfo& tensor = source.info(path);
    TensorCopy copy(source, tensor, on_slab);
    for (Destination* destination : list) copy.add(*destination);
    hashes[path] = copy.run();
    const auto wanted = table.manifest.find(tensor.name);
    if (path.starts_with("/weights/") && wanted != table.manifest.end() &&
        wanted->second != hashes[path]) {
      fail(Fault::data,
           fmt::format("{}: weight {} has sha256 {}, the manifest says {}", printable(table.path),
                       printable(tensor.name), hashes[path], wanted->second));
    }
  }
  source.check_unchanged();
  return hashes;
}

}  // namespace tpinfer::shard
