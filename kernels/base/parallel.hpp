// One pool of threads per process. Work is divided by output elements only, so that results
// never depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>

namespace tpinfer {

// At least 1. Call once at start, from the main thread. Also gives this thread, and the threads it
// starts, the plain floating-point environment (round to nearest, denormals kept): some library may
// have changed it.
void set_thread_count(int threads);
int thread_count();

// Calls body(i) for 0 <= i < count, on up to thread_count() threads; returns when all are done.
// `body` must not throw. Beats once per call of body. Not to be nested.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

// Calls body(begin, end) on ranges that cover [0, count), each of at least `grain` elements but
// the last. For cheap elements.
void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace tpinfer
