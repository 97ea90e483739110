// tpinfer-preflight: checks one model file for tpinfer and prints its table. Built without MPI and
// BLAS, so that it starts in milliseconds and fits its limits. Not meant to be run by hand.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "shard/file/preflight.hpp"

namespace {

void limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard) {
  const rlimit value{soft, hard};
  setrlimit(resource, &value);
}

void limit_this_process() {
#ifndef __SANITIZE_ADDRESS__  // AddressSanitizer reserves terabytes of addresses
  limit(RLIMIT_AS, rlim_t{1} << 30, rlim_t{1} << 30);
#endif
  limit(RLIMIT_CPU, 10, 11);  // seconds: SIGXCPU, then SIGKILL
  limit(RLIMIT_FSIZE, 0, 0);
  limit(RLIMIT_CORE, 0, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const bool for_planning = argc == 3 && std::string(argv[2]) == "plan";
  if (argc != 2 && !for_planning) {
    std::fputs("usage: tpinfer-preflight MODEL [plan]\n", stderr);
    return 64;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // do not outlive tpinfer
  for (const char* name : {"HDF5_PLUGIN_PATH", "HDF5_PLUGIN_PRELOAD", "HDF5_DRIVER",
                           "HDF5_VOL_CONNECTOR", "HDF5_EXTFILE_PREFIX", "HDF5_VDS_PREFIX"}) {
    unsetenv(name);
  }
  limit_this_process();
  const std::string answer = tpinfer::shard::preflight_answer(argv[1], for_planning);
  const bool written = std::fwrite(answer.data(), 1, answer.size(), stdout) == answer.size() &&
                       std::fflush(stdout) == 0;
  return written ? 0 : 74;
}
