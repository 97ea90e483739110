#include "launch/library/visit.hpp"

#include <signal.h>

#include <chrono>

#include "kernels/base/heartbeat.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/blas_threads.hpp"

namespace tpinfer::launch {

Visit::Visit(int threads) {
  std::fegetenv(&environment_);
  set_thread_count(threads);  // sets the floating-point environment, too
  blas_threads_ = kernels::set_blas_threads(1);
}

Visit::~Visit() {
  kernels::set_blas_threads(blas_threads_);
  std::fesetenv(&environment_);
}

Absence::Absence() {
  // Signals are for the caller's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] {
    while (!stop_) {
      if (!inside) beat();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Absence::~Absence() {
  stop_ = true;
  thread_.join();
}

}  // namespace tpinfer::launch
