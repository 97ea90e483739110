// A group of one rank, without MPI.
#pragma once

#include <memory>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

// Collectives copy, sums are their only summand, and nothing is ever counted as sent.
std::unique_ptr<Communicator> single_rank();

}  // namespace tpinfer::comm
