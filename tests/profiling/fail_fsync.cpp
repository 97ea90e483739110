// Preloaded by checks of failing disks: the n-th fsync of the process fails with EIO, where n is
// FAIL_FSYNC; with FAIL_FSYNC=0 none does.
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include <atomic>

extern "C" int fsync(int descriptor) {
  static const auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fsync"));
  static const char* wanted = getenv("FAIL_FSYNC");
  static std::atomic<int> calls{0};
  if (++calls == (wanted ? atoi(wanted) : 0)) {
    errno = EIO;
    return -1;
  }
  return real(descriptor);
}
