// The communicator over MPI.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/communicator.hpp"
#include "comm/meter.hpp"

namespace tpinfer::comm {

// A group over the MPI communicator with this Fortran handle (so that mpi.h stays out of headers).
// Frees the MPI communicator at its end when `owned`. Calls that would move more than `chunk` bytes
// at once are cut into pieces. Groups made from one another share a meter.
std::unique_ptr<Communicator> mpi_communicator(int fortran_handle, bool owned, std::size_t chunk,
                                               std::shared_ptr<Meter> meter);

}  // namespace tpinfer::comm
