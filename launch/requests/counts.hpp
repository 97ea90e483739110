// What a request loop has done.
#pragma once

#include <cstdint>

namespace tpinfer::launch {

struct RequestCounts {
  std::int64_t requests = 0;   // answered
  std::int64_t instances = 0;  // in them
  std::int64_t errors = 0;     // instances and whole requests that were answered by an error
  std::int64_t runs = 0;       // of a callable; one may answer several instances
  double seconds = 0;          // from the first request on
};

}  // namespace tpinfer::launch
