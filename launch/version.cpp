#include <fmt/format.h>

#include "comm/mpi/session.hpp"
#include "kernels/math/instruction_set.hpp"
#include "kernels/math/matmul.hpp"
#include "launch/options.hpp"
#include "shard/file/hdf5.hpp"

namespace tpinfer::launch {

std::string version_text() {
  return fmt::format("tpinfer {} ({}, {}, {}, SIMD {})", TPINFER_VERSION, comm::mpi_version(),
                     shard::hdf5_version(), kernels::blas_version(), kernels::instruction_set());
}

}  // namespace tpinfer::launch
