#include "shard/file/prove_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/view.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

using Bytes = std::vector<unsigned char>;

class TensorProof {
 public:
  TensorProof(ModelFile& file, const TensorInfo& tensor)
      : file_(file), tensor_(tensor), item_(size_of(tensor.stored)) {}

  void run(Proof& proof) {
    file_.prepare({{tensor_.path, whole_box(tensor_.shape)}});
    for (const Source& source : tensor_.sources) {
      const bool there = !file_of(source).missing;
      hashes_.push_back(there && !source.hash.empty() ? std::make_unique<Sha256>() : nullptr);
      if (there && file_of(source).rank >= 0) ++proof.slices;
    }
    // Slabs follow each other in C order, and so do the parts of every source.
    for_each_slab(whole_box(tensor_.shape), static_cast<std::int64_t>(kSlabBytes / item_),
                  [&](const Box& slab) { read_slab(slab); });
    check_hashes(proof);
  }

 private:
  const FileInfo& file_of(const Source& source) const {
    return file_.table().files[static_cast<std::size_t>(source.file)];
  }

  Piece piece(Bytes& bytes, const Box& box) const {
    bytes.resize(std::max(bytes.size(), byte_count(box.extent, tensor_.stored)));
    return {{bytes.data(), tensor_.stored, box.extent}, box, tensor_.shape};
  }

  void read_slab(const Box& slab) {
    const Piece whole = piece(slab_, slab);
    std::vector<Box> known;  // parts of the slab that were read
    for (std::size_t i = 0; i < tensor_.sources.size(); ++i) {
      const Source& source = tensor_.sources[i];
      const Box part = intersect(slab, source.box);
      if (part.empty() || file_of(source).missing) continue;
      const Piece own = piece(part_, part);
      file_.read_copy(tensor_, source, part, part_.data());
      if (hashes_[i]) hashes_[i]->update(part_.data(), own.view.bytes());
      const std::vector<Box> fresh = uncovered(part, known);
      for (const Box& box : uncovered(part, fresh)) compare(whole, own, box, i);
      copy_common(own, whole);
      known.push_back(part);
    }
    if (tensor_whole()) whole_.update(slab_.data(), whole.view.bytes());
  }

  bool tensor_whole() const { return file_.table().manifest.contains(tensor_.name); }

  void compare(const Piece& whole, const Piece& own, const Box& box, std::size_t source) {
    const Piece before = piece(before_, box), now = piece(now_, box);
    copy_common(whole, before);
    copy_common(own, now);
    if (std::memcmp(before_.data(), now_.data(), now.view.bytes()) == 0) return;
    std::size_t first = 0;
    while (before_[first] == now_[first]) ++first;
    Shape at = box.offset;
    auto rest = static_cast<std::int64_t>(first / item_);
    const Shape strides = strides_of(box.extent);
    for (std::size_t d = 0; d < at.size(); ++d) {
      at[d] += rest / strides[d];
      rest %= strides[d];
    }
    std::string other;
    const Box element{at, Shape(at.size(), 1)};
    for (std::size_t i = 0; i < source && other.empty(); ++i) {
      if (!file_of(tensor_.sources[i]).missing && contains(tensor_.sources[i].box, element)) {
        other = printable(file_of(tensor_.sources[i]).path);
      }
    }
    fail(Fault::data,
         fmt::format("weight {}: {} and {} differ at {}", printable(tensor_.name), other,
                     printable(file_of(tensor_.sources[source]).path), to_text(at)));
  }

  void check_hashes(Proof& proof) {
    for (std::size_t i = 0; i < hashes_.size(); ++i) {
      if (!hashes_[i]) continue;
      const Source& source = tensor_.sources[i];
      check(hashes_[i]->hex(), source.hash,
            fmt::format("{}: {}", printable(file_of(source).path), source.data.path));
      ++proof.slice_hashes;
    }
    if (!tensor_whole()) return;
    check(whole_.hex(), file_.table().manifest.at(tensor_.name),
          fmt::format("{}: weight {}", printable(file_.table().path), printable(tensor_.name)));
    ++proof.hashes;
  }

  static void check(const std::string& own, const std::string& wanted, const std::string& where) {
    if (own == wanted) return;
    fail(Fault::data, fmt::format("{} has sha256 {}, the manifest says {}", where, own, wanted));
  }

  ModelFile& file_;
  const TensorInfo& tensor_;
  std::size_t item_;
  std::vector<std::unique_ptr<Sha256>> hashes_;  // per source; null: none to prove
  Sha256 whole_;
  Bytes slab_, part_, before_, now_;
};

}  // namespace

Proof prove_weights(ModelFile& file) {
  Proof proof;
  const ModelTable& table = file.table();
  for (const auto& [name, hash] : table.manifest) {
    const bool there = std::any_of(table.weights.begin(), table.weights.end(),
                                   [&, wanted = name](const auto& w) { return w.name == wanted; });
    if (!there) {
      fail(Fault::data, fmt::format("{}: the manifest names weight {}, which is missing",
                                    printable(table.path), printable(name)));
    }
  }
  for (const TensorInfo& weight : table.weights) {
    if (!table.manifest.empty() && !table.manifest.contains(weight.name)) {
      fail(Fault::data, fmt::format("{}: weight {} is not in the manifest", printable(table.path),
                                    printable(weight.name)));
    }
    TensorProof(file, weight).run(proof);
  }
  file.check_unchanged();
  return proof;
}

}  // namespace tpinfer::shard
