// What a call into the library changes of the caller's process, and gives back.
#pragma once

#include <atomic>
#include <cfenv>
#include <thread>

#include "shard/file/hdf5.hpp"

namespace tpinfer::launch {

// While it lives the process computes as tpinfer does: plain floating-point environment, this many
// threads of ours, BLAS on one thread, HDF5 quiet. Main thread only.
class Visit {
 public:
  explicit Visit(int threads);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  std::fenv_t environment_;
  int blas_threads_;
  shard::Hdf5Visit hdf5_;
};

// Beats for the watchdog while the caller's own code runs, which does not: from its making on, but
// not while `inside` is set.
class Absence {
 public:
  Absence();
  ~Absence();
  Absence(const Absence&) = delete;
  Absence& operator=(const Absence&) = delete;

  std::atomic<bool> inside{false};

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tpinfer::launch
