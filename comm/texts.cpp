#include "comm/texts.hpp"

#include <cstdint>
#include <numeric>

namespace tpinfer::comm {

std::vector<std::string> all_gather_texts(Communicator& group, std::string_view mine) {
  const auto ranks = static_cast<std::size_t>(group.size());
  const std::uint64_t my_size = mine.size();
  std::vector<std::uint64_t> sizes(ranks);
  group.all_gather(&my_size, std::vector<std::size_t>(ranks, sizeof my_size), sizes.data());

  const std::vector<std::size_t> bytes(sizes.begin(), sizes.end());
  std::string all(std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}), '\0');
  if (!all.empty()) group.all_gather(mine.data(), bytes, all.data());

  std::vector<std::string> texts;
  std::size_t offset = 0;
  for (const std::size_t size : bytes) {
    texts.push_back(all.substr(offset, size));
    offset += size;
  }
  return texts;
}

std::string broadcast_text(Communicator& group, std::string_view text, int root) {
  std::uint64_t size = text.size();
  group.broadcast(&size, sizeof size, root);
  std::string out = group.rank() == root ? std::string(text) : std::string(size, '\0');
  if (size > 0) group.broadcast(out.data(), size, root);
  return out;
}

}  // namespace tpinfer::comm
