// Makes one call of one rank fail: preload it (LD_PRELOAD) and set
//   FAIL_CALL=<kind>:<n>:<how>   the nth call of the kind (from 1); with <n>+ all later ones too
//   FAIL_RANK=<rank>             which rank of tpinfer (OMPI_COMM_WORLD_RANK, PMI_RANK; else 0)
//   FAIL_LOG=<file>              gets a line when the nth call came: without it nothing failed
//   FAIL_BELOW=<folder>          kind "output": only files in this folder
// Kinds: "new" (operator new), "malloc" (every allocation of every library), "output" (what makes,
// fills, syncs or names a file). How: "null" (std::bad_alloc or a null pointer), "EIO", "ENOSPC",
// or "kill" (SIGKILL instead of the call).
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
}

namespace {

// Libraries that make their tables before the program begins are not counted.
std::atomic<bool> begun{false};

enum class Kind { none, allocation, library_allocation, output };

struct Order {
  Kind kind = Kind::none;
  long nth = 0;
  bool all_later = false;
  int error = 0;  // 0: kill
};

// Reads the environment without allocating.
Order read_order() {
  Order order;
  const char* text = getenv("FAIL_CALL");
  const char* wanted = getenv("FAIL_RANK");
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  if (rank == nullptr) rank = getenv("PMI_RANK");
  if (text == nullptr || strcmp(wanted ? wanted : "0", rank ? rank : "0") != 0) return order;
  if (strcmp(program_invocation_short_name, "tpinfer") != 0) return order;
  const char* number = strchr(text, ':');
  if (number == nullptr) return order;
  char* rest = nullptr;
  order.nth = strtol(number + 1, &rest, 10);
  order.all_later = *rest == '+';
  if (order.all_later) ++rest;
  order.kind = strncmp(text, "new", 3) == 0      ? Kind::allocation
               : strncmp(text, "malloc", 6) == 0 ? Kind::library_allocation
                                                 : Kind::output;
  order.error = strcmp(rest, ":kill") == 0 ? 0 : strcmp(rest, ":ENOSPC") == 0 ? ENOSPC : EIO;
  return order;
}

void log_once() {
  static std::atomic<bool> logged{false};
  const char* path = getenv("FAIL_LOG");
  if (path == nullptr || logged.exchange(true)) return;
  static const auto open_file =
      reinterpret_cast<int (*)(const char*, int, ...)>(dlsym(RTLD_NEXT, "open"));
  static const auto put =
      reinterpret_cast<ssize_t (*)(int, const void*, size_t)>(dlsym(RTLD_NEXT, "write"));
  const int file = open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) return;
  [[maybe_unused]] const auto written = put(file, "failed\n", 7);
  close(file);
}

// Whether this call of the kind is to fail; errno is set then.
bool fails(Kind kind) {
  static const Order order = read_order();
  static std::atomic<long> calls{0};
  if (kind != order.kind || !begun) return false;
  const long call = ++calls;
  if (call != order.nth && !(order.all_later && call > order.nth)) return false;
  log_once();
  if (order.error == 0) raise(SIGKILL);
  errno = kind == Kind::output ? order.error : ENOMEM;
  return true;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool is_below(const char* path) {
  const char* below = getenv("FAIL_BELOW");
  return below == nullptr || strncmp(path, below, strlen(below)) == 0;
}

bool is_below(int descriptor) {
  char link[64] = "/proc/self/fd/", path[PATH_MAX] = "";
  char* end = link + strlen(link);
  char digits[16];
  int count = 0;
  for (int rest = descriptor; count == 0 || rest > 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
  return readlink(link, path, sizeof path - 1) > 0 && is_below(path);
}

bool output_fails(int descriptor) { return is_below(descriptor) && fails(Kind::output); }

void* checked_new(size_t bytes, size_t alignment) {
  void* memory = fails(Kind::allocation) ? nullptr
                 : alignment == 0        ? malloc(bytes == 0 ? 1 : bytes)
                                         : __libc_memalign(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return checked_new(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return checked_new(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { free(memory); }

extern "C" {

int __libc_start_main(int (*main)(int, char**, char**), int count, char** arguments, void (*init)(),
                      void (*end)(), void (*linker_end)(), void* stack) {
  begun = true;
  return real<decltype(&__libc_start_main)>("__libc_start_main")(main, count, arguments, init, end,
                                                                 linker_end, stack);
}

void* malloc(size_t bytes) {
  return fails(Kind::library_allocation) ? nullptr : __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  return fails(Kind::library_allocation) ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  return fails(Kind::library_allocation) ? nullptr : __libc_realloc(old, bytes);
}

#define FAIL_OPEN(name)                                                                   \
  int name(const char* path, int flags, ...) {                                            \
    va_list arguments;                                                                    \
    va_start(arguments, flags);                                                           \
    const mode_t mode = va_arg(arguments, mode_t);                                        \
    va_end(arguments);                                                                    \
    static const auto next = real<int (*)(const char*, int, ...)>(#name);                 \
    const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;        \
    return makes && is_below(path) && fails(Kind::output) ? -1 : next(path, flags, mode); \
  }
FAIL_OPEN(open)
FAIL_OPEN(open64)

#define FAIL_DESCRIPTOR(result, name, parameters, arguments)    \
  result name parameters {                                      \
    static const auto next = real<result(*) parameters>(#name); \
    return output_fails(descriptor) ? -1 : next arguments;      \
  }
FAIL_DESCRIPTOR(ssize_t, write, (int descriptor, const void* data, size_t bytes),
                (descriptor, data, bytes))
FAIL_DESCRIPTOR(ssize_t, pwrite, (int descriptor, const void* data, size_t bytes, off_t offset),
                (descriptor, data, bytes, offset))
FAIL_DESCRIPTOR(ssize_t, pwrite64, (int descriptor, const void* data, size_t bytes, off_t offset),
                (descriptor, data, bytes, offset))
FAIL_DESCRIPTOR(int, fsync, (int descriptor), (descriptor))
FAIL_DESCRIPTOR(int, fallocate, (int descriptor, int mode, off_t offset, off_t bytes),
                (descriptor, mode, offset, bytes))
FAIL_DESCRIPTOR(int, fallocate64, (int descriptor, int mode, off_t offset, off_t bytes),
                (descriptor, mode, offset, bytes))
FAIL_DESCRIPTOR(int, ftruncate, (int descriptor, off_t bytes), (descriptor, bytes))
FAIL_DESCRIPTOR(int, ftruncate64, (int descriptor, off_t bytes), (descriptor, bytes))

int rename(const char* from, const char* to) {
  static const auto next = real<int (*)(const char*, const char*)>("rename");
  return is_below(to) && fails(Kind::output) ? -1 : next(from, to);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  static const auto next = real<int (*)(int, const char*, int, const char*, int)>("linkat");
  return is_below(to) && fails(Kind::output) ? -1 : next(from_folder, from, to_folder, to, flags);
}

}  // extern "C"
