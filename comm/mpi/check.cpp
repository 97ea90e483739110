#include "comm/mpi/check.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <string>

#include "kernels/base/error.hpp"

namespace tpinfer::comm {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(Fault::internal,
       fmt::format("{}: {}", call, std::string(text, static_cast<std::size_t>(length))));
}

}  // namespace tpinfer::comm
