// Preloaded by checks of failing disks: the n-th fsync of the process fails with EIO, where n is
// FAIL_FSYNC; with FAIL_FSYNC=0 none does. With FSYNC_LOG=PATH the name of each file that fsync was
// called for becomes a line there.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <string>

static void note(int descriptor) {
  const char* path = getenv("FSYNC_LOG");
  if (path == nullptr) return;
  char name[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = readlink(link.c_str(), name, sizeof name);
  if (length <= 0) return;
  const std::string line = std::string(name, static_cast<std::size_t>(length)) + "\n";
  const int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) return;
  [[maybe_unused]] const ssize_t written = write(log, line.data(), line.size());
  close(log);
}

extern "C" int fsync(int descriptor) {
  static const auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fsync"));
  static const char* wanted = getenv("FAIL_FSYNC");
  static std::atomic<int> calls{0};
  if (++calls == (wanted ? atoi(wanted) : 0)) {
    errno = EIO;
    return -1;
  }
  note(descriptor);
  return real(descriptor);
}
