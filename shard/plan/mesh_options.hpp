// The mesh that a user asks for: --mesh dp=2,pp=2,tp=2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shard/layout/mesh.hpp"

namespace tpinfer::shard {

struct MeshOptions {
  int pp = 1;
  int dp = 1;
  std::vector<int> tp;  // the sizes of its axes; empty = what the strategies need
  std::vector<std::int64_t> rank_weights;  // --rank-weights: one share per rank; empty = equal
};

// "dp=2,pp=2,tp=2", any subset in any order; "tp=2x2" is two axes; "" = nothing asked for. Throws
// Fault::usage with the expected form.
MeshOptions parse_mesh(const std::string& text);

// "3,1": one share per rank, not all 0. Throws Fault::usage.
std::vector<std::int64_t> parse_rank_weights(const std::string& text);

// How many ranks cut tensors. Throws Fault::usage, naming the numbers, when pp, dp and tp do not
// multiply to `ranks`, or there are not as many weights.
int tensor_ranks(const MeshOptions& options, int ranks);

// Which part of the batch a rank works on: its coordinate on the dp axis.
int data_group(const MeshOptions& options, int ranks, int rank);

// pp and dp before the axes that cut tensors, so that rank = stage * ranks of a stage + local rank.
// An axis's shares are the sums of the shares of its ranks.
Mesh with_roles(const MeshOptions& options, const Mesh& tensor_mesh);

}  // namespace tpinfer::shard
