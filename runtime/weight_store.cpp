#include "runtime/weight_store.hpp"

#include <fmt/format.h>

#include "comm/fault.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "runtime/load_weight.hpp"
#include "shard/layout/box_cover.hpp"
#include "shard/plan/weight_boxes.hpp"

namespace tpinfer::runtime {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line

}  // namespace

std::size_t WeightStore::add(const std::string& name, const shard::WeightView& view, const Box& box,
                             DType dtype) {
  if (box.empty()) return 0;
  const Box stored = shard::stored_box(view, box);
  const Key key{view.file, view.dataset, stored.offset, stored.extent, view.transposed};
  const auto [at, fresh] = index_.try_emplace(key, parts_.size());
  if (!fresh) return parts_[at->second].offset;
  if (allocated_) {
    fail(Fault::internal, fmt::format("weight {}: the weights are loaded already", name));
  }
  const std::size_t bytes = byte_count(box.extent, dtype);
  parts_.push_back({name, view, box, dtype, end_, bytes});
  part_bytes_ += bytes;
  end_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return parts_.back().offset;
}

void WeightStore::open(const std::vector<shard::ModelFile*>& files) const {
  std::vector<std::map<std::string, std::vector<Box>>> boxes(files.size());
  for (const Part& part : parts_) {
    boxes.at(static_cast<std::size_t>(part.view.file))[part.view.dataset].push_back(
        shard::stored_box(part.view, part.box));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::vector<shard::BoxRequest> reads;
    for (const auto& [name, list] : boxes[i]) {
      for (const Box& box : shard::without_contained(list)) {
        reads.push_back({"/weights/" + name, box});
      }
    }
    files[i]->prepare(reads);
  }
}

void WeightStore::allocate() {
  if (allocated_) return;
  block_ = Block(end_, "weights");
  allocated_ = true;
}

void WeightStore::load(const std::vector<shard::ModelFile*>& files,
                       const std::function<void(std::size_t, std::size_t)>& progress) {
  std::size_t done = 0;
  for (const Part& part : parts_) {
    comm::fault_site("load");
    try {
      load_weight(*files.at(static_cast<std::size_t>(part.view.file)), part.view, part.box,
                  data() + part.offset);
    } catch (const Error& error) {
      fail_in("weight " + part.name, error);
    }
    done += part.bytes;
    if (progress) progress(done, part_bytes_);
  }
}

std::string WeightStore::content_key(const std::string& identity) const {
  Sha256 hash;
  auto add = [&](const std::string& text) { hash.update(text.c_str(), text.size() + 1); };
  add(identity);
  for (const Part& part : parts_) {
    const Box stored = shard::stored_box(part.view, part.box);
    add(fmt::format("{} {} {}", part.view.file, part.view.dataset, part.view.transposed));
    add(fmt::format("{} {} {} {}", to_text(stored), name_of(part.dtype), part.offset, part.bytes));
  }
  return hash.hex();
}

void WeightStore::for_each(const std::function<void(const std::string&, const View&)>& body) const {
  for (const Part& part : parts_) {
    body(part.name, {data() + part.offset, part.dtype, part.box.extent});
  }
}

}  // namespace tpinfer::runtime
