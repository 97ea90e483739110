// Which parts of the stored weights a rank needs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/base/box.hpp"
#include "shard/plan/plan.hpp"

namespace tpinfer::shard {

// The part of the dataset behind `view` that holds `box` of the tensor which the view means.
//   "w[:,64:128].T", rows 0:16 of it -> [:,64:80] of w
Box stored_box(const WeightView& view, const Box& box);

// Weight name -> the boxes of its dataset that `rank` loads, none inside another.
std::map<std::string, std::vector<Box>> weight_boxes(const BoundGraph& graph, const Plan& plan,
                                                     int rank);

}  // namespace tpinfer::shard
