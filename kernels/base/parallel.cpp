#include "kernels/base/parallel.hpp"

#include <omp.h>

#include <algorithm>
#include <cfenv>

#include "kernels/base/heartbeat.hpp"

namespace tpinfer {
namespace {
int threads_of_this_process = 1;
}

void set_thread_count(int threads) {
  std::fesetenv(FE_DFL_ENV);
  threads_of_this_process = std::max(1, threads);
}

int thread_count() { return threads_of_this_process; }

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  if (threads_of_this_process == 1 || count < 2) {
    for (std::int64_t i = 0; i < count; ++i) {
      body(i);
      beat();
    }
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_of_this_process)
  for (std::int64_t i = 0; i < count; ++i) {
    body(i);
    beat();
  }
}

void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  const std::int64_t ranges = (count + grain - 1) / grain;
  parallel_for(ranges, [&](std::int64_t i) { body(i * grain, std::min(count, (i + 1) * grain)); });
}

}  // namespace tpinfer
