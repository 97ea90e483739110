// This rank's parts of the weights, held once however many engines use them.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/view.hpp"
#include "runtime/memory.hpp"
#include "shard/file/model_file.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::runtime {

// Engines add what they need, then memory is taken once and filled once. The same part of the same
// dataset is one part; a part of another shape, or the transposed one, is a second copy.
//   prefill and decode both cut w [96,16] over 8 ranks: 768 bytes per rank, not 1536
// Local throughout; all ranks add the same weights in the same order.
class WeightStore {
 public:
  // `box` of the tensor that `view` means, as elements of `dtype`. Returns where it will lie, in
  // bytes from data(), a multiple of 64. After allocate() only parts that are there may be added:
  // else Fault::internal.
  std::size_t add(const std::string& name, const shard::WeightView& view, const Box& box,
                  DType dtype);

  // Bytes that allocate() takes, and those of the parts alone, without the gaps between.
  std::size_t bytes_needed() const { return end_; }
  std::size_t part_bytes() const { return part_bytes_; }

  // Opens what load() will read of `files` (indexed by WeightView::file) and no other file. Throws
  // what ModelFile::prepare throws.
  void open(const std::vector<shard::ModelFile*>& files) const;

  // Takes the memory, zeroed. Throws Fault::memory. Once; again is no error and does nothing.
  void allocate();

  // Reads every part, nothing else. `progress` gets bytes done and bytes in all. Throws what
  // ModelFile::read throws, the weight named.
  void load(const std::vector<shard::ModelFile*>& files,
            const std::function<void(std::size_t, std::size_t)>& progress);

  // Calls `body` with the name and the elements of every part that has some.
  void for_each(const std::function<void(const std::string&, const View&)>& body) const;

  // What the memory will hold, byte for byte: equal texts are equal parts at equal places.
  // `identity` says which files they come from.
  std::string content_key(const std::string& identity) const;

  std::byte* data() const { return block_.data(); }

 private:
  struct Part {
    std::string name;  // the tensor's, for messages
    shard::WeightView view;
    Box box;
    DType dtype = DType::f32;
    std::size_t offset = 0, bytes = 0;
  };
  // File, dataset, stored box, transposed.
  using Key = std::tuple<int, std::string, Shape, Shape, bool>;

  std::vector<Part> parts_;
  std::map<Key, std::size_t> index_;  // into parts_
  std::size_t end_ = 0, part_bytes_ = 0;
  bool allocated_ = false;
  Block block_;
};

}  // namespace tpinfer::runtime
