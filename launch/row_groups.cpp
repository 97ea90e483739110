#include "launch/row_groups.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"

namespace tpinfer::launch {
namespace {

Range common(Range a, Range b) {
  const std::int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

}  // namespace

RowGroups::RowGroups(comm::Communicator& world, const shard::MeshOptions& mesh,
                     std::int64_t my_rows)
    : world_(world) {
  for (int r = 0; r < world.size(); ++r) {
    groups_.push_back(shard::data_group(mesh, world.size(), r));
  }
  group_ = groups_[static_cast<std::size_t>(world.rank())];
  const auto before = groups_.begin() + world.rank();
  leader_ = std::find(groups_.begin(), before, group_) == before;
  // The n-th ranks of all groups form a group of their own.
  across_ = world.split(static_cast<int>(std::count(groups_.begin(), before, group_)), group_);
  agree("the number of rows", fmt::format("{}", my_rows));
  const std::vector<std::string> all = comm::all_gather_texts(*across_, fmt::format("{}", my_rows));
  std::int64_t begin = 0;
  for (const std::string& rows : all) {
    const std::int64_t end = begin + std::stoll(rows);
    rows_.push_back({begin, end});
    begin = end;
  }
}

Range RowGroups::local(Range rows) const {
  const Range part = common(rows, mine());
  return {part.begin - mine().begin, part.end - mine().begin};
}

// Ranks of one group must say the same.
void RowGroups::agree(const std::string& what, const std::string& mine) {
  const std::vector<std::string> all = comm::all_gather_texts(world_, mine);
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto first = static_cast<std::size_t>(
        std::find(groups_.begin(), groups_.end(), groups_[r]) - groups_.begin());
    if (all[first] == all[r]) continue;
    throw comm::AgreedError(
        Fault::disagreement,
        fmt::format("{} differs within part {} of the batch: rank {} has {}, rank {} {}", what,
                    groups_[r], first, all[first], r, all[r]));
  }
}

void RowGroups::exchange(const std::string& what, Range rows, const View& whole,
                         const std::function<void(const View& part)>& fill) {
  const std::size_t row_bytes =
      rows.size() == 0 ? 0 : whole.bytes() / static_cast<std::size_t>(rows.size());
  std::vector<std::size_t> bytes;
  for (const Range& group : rows_) {
    bytes.push_back(static_cast<std::size_t>(common(rows, group).size()) * row_bytes);
  }
  std::vector<std::byte> part(bytes[static_cast<std::size_t>(group_)]);
  comm::together(world_, "read input", [&] {
    Shape shape = whole.shape;
    shape[0] = local(rows).size();
    if (shape[0] > 0) fill({part.data(), whole.dtype, shape});
  });
  agree(what, sha256_hex(part.data(), part.size()));
  across_->all_gather(part.data(), bytes, whole.data);
}

}  // namespace tpinfer::launch
