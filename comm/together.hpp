// One rank's failure becomes everyone's.
#pragma once

#include <functional>
#include <string_view>

#include "comm/communicator.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {

// An error that every rank of the group throws at the same place with the same text: all may leave
// through main, and one of them prints it.
class AgreedError : public Error {
 public:
  AgreedError(Fault fault, const std::string& text, int rank = 0)
      : Error(fault, text), rank_(rank) {}
  // The rank whose failure it is: with several, the first of those with the highest fault.
  int rank() const { return rank_; }

 private:
  int rank_;
};

// Runs `work` on every rank as the phase `phase`, then agrees how it went: returns on all ranks or
// throws the same AgreedError on all. Costs one small all-gather when nothing fails. Collective;
// `work` itself must be local, or collective and unable to fail on some ranks only.
// The highest fault wins, then the lowest rank. std::bad_alloc is Fault::memory, any other foreign
// exception Fault::internal. The text, with the failing rank unless all fail alike:
//   load weights: rank 2 on node7: layers.3.wq: wanted 4096x512 (and 3 other ranks)
//   load weights: cannot open model.h5          (all ranks say so, or there is one rank only)
void together(Communicator& group, std::string_view phase, const std::function<void()>& work);

}  // namespace tpinfer::comm
