#include "comm/last_words.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace tpinfer::comm {
namespace {

struct Cleanups {
  std::timed_mutex mutex;
  int next = 0;
  std::map<int, std::function<void()>> undo;
};

// Never destroyed: the watchdog's thread may still need it while statics go.
Cleanups& cleanups() {
  static auto* all = new Cleanups;
  return *all;
}

}  // namespace

void say(std::string_view text) {
  std::string line = "tpinfer: " + std::string(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  // Nobody is left to tell when stderr is gone.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

int add_cleanup(std::function<void()> undo) {
  const std::lock_guard lock(cleanups().mutex);
  cleanups().undo.emplace(cleanups().next, std::move(undo));
  return cleanups().next++;
}

void remove_cleanup(int handle) {
  const std::lock_guard lock(cleanups().mutex);
  cleanups().undo.erase(handle);
}

void run_cleanups() noexcept try {
  std::map<int, std::function<void()>> undo;
  {
    // A main thread that hangs while it holds the lock must not keep us from ending.
    const std::unique_lock lock(cleanups().mutex, std::chrono::milliseconds(200));
    if (!lock.owns_lock()) return;
    undo.swap(cleanups().undo);
  }
  for (auto it = undo.rbegin(); it != undo.rend(); ++it) {
    try {
      it->second();
    } catch (...) {  // the next one may still succeed
    }
  }
} catch (...) {  // ending matters more
}

}  // namespace tpinfer::comm
