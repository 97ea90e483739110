// Counts a program's files from outside: preload it (LD_PRELOAD) and name a folder in
// TPINFER_OPENS_OUT. When the process ends it writes <folder>/<program>.<rank or pid>: one line per
// regular file under the folder TPINFER_OPENS_BELOW that was opened for reading, with the bytes
// that pread took from it:
//   /tmp/model/m3.h5 4096
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace {

std::mutex mutex;
std::map<std::string, long long>& bytes_of() {
  static auto* files = new std::map<std::string, long long>;  // outlives the other destructors
  return *files;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// The file behind a descriptor when it lies below the watched folder.
std::string watched(int descriptor) {
  const char* below = std::getenv("TPINFER_OPENS_BELOW");
  if (below == nullptr || descriptor < 0) return "";
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path);
  const std::string file(path, length < 0 ? 0 : static_cast<std::size_t>(length));
  return file.rfind(below, 0) == 0 ? file : "";
}

void note(int descriptor, long long bytes) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string file = watched(descriptor);
  if (file.empty()) return;
  const std::lock_guard lock(mutex);
  bytes_of()[file] += bytes;
}

int opened(int descriptor) {
  if (descriptor >= 0) note(descriptor, 0);
  return descriptor;
}

struct AtEnd {
  ~AtEnd() {
    const char* folder = std::getenv("TPINFER_OPENS_OUT");
    if (folder == nullptr) return;
    const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
    const std::string name = std::string(folder) + "/" + program_invocation_short_name + "." +
                             (rank ? rank : std::to_string(getpid()));
    FILE* out = std::fopen(name.c_str(), "w");
    if (out == nullptr) return;
    const std::lock_guard lock(mutex);
    for (const auto& [file, bytes] : bytes_of()) {
      std::fprintf(out, "%s %lld\n", file.c_str(), bytes);
    }
    std::fclose(out);
  }
} at_end;

}  // namespace

extern "C" {

#define FORWARD_OPEN(name)                                                \
  int name(const char* path, int flags, ...) {                            \
    va_list arguments;                                                    \
    va_start(arguments, flags);                                           \
    const mode_t mode = va_arg(arguments, mode_t);                        \
    va_end(arguments);                                                    \
    static const auto next = real<int (*)(const char*, int, ...)>(#name); \
    return opened(next(path, flags, mode));                               \
  }

FORWARD_OPEN(open)
FORWARD_OPEN(open64)

#define FORWARD_PREAD(name)                                                       \
  ssize_t name(int descriptor, void* out, size_t bytes, off_t offset) {           \
    static const auto next = real<ssize_t (*)(int, void*, size_t, off_t)>(#name); \
    const ssize_t got = next(descriptor, out, bytes, offset);                     \
    if (got > 0) note(descriptor, got);                                           \
    return got;                                                                   \
  }

FORWARD_PREAD(pread)
FORWARD_PREAD(pread64)
}
