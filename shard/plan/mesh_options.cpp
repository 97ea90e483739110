#include "shard/plan/mesh_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <set>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::shard {
namespace {

[[noreturn]] void malformed_mesh(const std::string& text) {
  fail(Fault::usage, fmt::format("--mesh {}: write sizes of dp, pp and tp such as dp=2,tp=4 or "
                                 "tp=2x2",
                                 text));
}

std::vector<std::string> pieces_of(const std::string& text, char separator) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return pieces;
}

// A whole number in [least, most]; -1 for anything else.
std::int64_t number_in(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= least && value <= most ? value : -1;
}

constexpr std::int64_t kMostRanks = 1 << 20;

}  // namespace

MeshOptions parse_mesh(const std::string& text) {
  MeshOptions options;
  if (text.empty()) return options;
  std::set<std::string> seen;
  for (const std::string& piece : pieces_of(text, ',')) {
    const std::size_t equals = piece.find('=');
    const std::string name = piece.substr(0, equals);
    if (equals == std::string::npos || !seen.insert(name).second) malformed_mesh(text);
    std::vector<int> sizes;
    for (const std::string& size : pieces_of(piece.substr(equals + 1), 'x')) {
      const std::int64_t value = number_in(size, 1, kMostRanks);
      if (value < 0) malformed_mesh(text);
      sizes.push_back(static_cast<int>(value));
    }
    if (name == "tp") {
      options.tp = sizes;
    } else if ((name == kDataAxis || name == kPipelineAxis) && sizes.size() == 1) {
      (name == kDataAxis ? options.dp : options.pp) = sizes[0];
    } else {
      malformed_mesh(text);
    }
  }
  return options;
}

std::vector<std::int64_t> parse_rank_weights(const std::string& text) {
  std::vector<std::int64_t> weights;
  if (text.empty()) return weights;
  for (const std::string& piece : pieces_of(text, ',')) {
    weights.push_back(number_in(piece, 0, 1'000'000));
    if (weights.back() < 0) weights.clear();
    if (weights.empty()) break;
  }
  if (std::accumulate(weights.begin(), weights.end(), std::int64_t{0}) < 1) {
    fail(Fault::usage, fmt::format("--rank-weights {}: write one whole number per rank, 0 to "
                                   "1000000, not all 0, such as 3,1",
                                   text));
  }
  return weights;
}

int tensor_ranks(const MeshOptions& options, int ranks) {
  const std::int64_t outer = std::int64_t{options.pp} * options.dp;
  std::int64_t tp = 1;
  for (int size : options.tp) tp = std::min(tp * size, kMostRanks * kMostRanks);
  if (ranks % outer != 0 || (!options.tp.empty() && outer * tp != ranks)) {
    std::string asked = fmt::format("dp={},pp={}", options.dp, options.pp);
    if (!options.tp.empty()) asked += fmt::format(",tp={}", fmt::join(options.tp, "x"));
    fail(Fault::usage, options.tp.empty()
                           ? fmt::format("--mesh {}: {} {} no multiple of {}", asked, ranks,
                                         ranks == 1 ? "rank is" : "ranks are", outer)
                           : fmt::format("--mesh {}: these are {} ranks, the run has {}", asked,
                                         outer * tp, ranks));
  }
  if (!options.rank_weights.empty() &&
      options.rank_weights.size() != static_cast<std::size_t>(ranks)) {
    fail(Fault::usage,
         fmt::format("--rank-weights: {} for {}", counted(options.rank_weights.size(), "weight"),
                     counted(static_cast<std::size_t>(ranks), "rank")));
  }
  return ranks / static_cast<int>(outer);
}

int data_group(const MeshOptions& options, int ranks, int rank) {
  return rank / tensor_ranks(options, ranks) % options.dp;
}

Mesh with_roles(const MeshOptions& options, const Mesh& tensor_mesh) {
  Mesh mesh;
  if (options.pp > 1) mesh.axes.push_back({std::string(kPipelineAxis), options.pp});
  if (options.dp > 1) mesh.axes.push_back({std::string(kDataAxis), options.dp});
  mesh.axes.insert(mesh.axes.end(), tensor_mesh.axes.begin(), tensor_mesh.axes.end());
  const std::vector<std::int64_t>& weights = options.rank_weights;
  const bool equal =
      std::adjacent_find(weights.begin(), weights.end(), std::not_equal_to<>()) == weights.end();
  if (equal) return mesh;
  std::vector<std::vector<std::int64_t>> sums(mesh.axes.size());
  for (std::size_t a = 0; a < sums.size(); ++a) {
    sums[a].resize(static_cast<std::size_t>(mesh.axes[a].size));
  }
  for (int r = 0; r < mesh.size(); ++r) {
    const std::vector<int> at = mesh.coordinates(r);
    for (std::size_t a = 0; a < sums.size(); ++a) {
      sums[a][static_cast<std::size_t>(at[a])] += weights[static_cast<std::size_t>(r)];
    }
  }
  // Stages are not cut by shares: a stage has the nodes it has.
  for (std::size_t a = 0; a < sums.size(); ++a) {
    if (mesh.axes[a].name != kPipelineAxis) mesh.axes[a].shares = std::move(sums[a]);
  }
  return mesh;
}

}  // namespace tpinfer::shard
