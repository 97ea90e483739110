#include "comm/last_words.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
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

// Without the heap, which may be what has run out.
void say(std::string_view text) {
  constexpr std::string_view kPrefix = "tpinfer: ";
  std::array<char, 8192> line;
  char* end = std::copy(kPrefix.begin(), kPrefix.end(), line.begin());
  text = text.substr(0, line.size() - kPrefix.size() - 1);
  end = std::replace_copy(text.begin(), text.end(), end, '\n', ' ');
  *end++ = '\n';
  // Nobody is left to tell when stderr is gone.
  [[maybe_unused]] const auto written =
      write(STDERR_FILENO, line.data(), static_cast<std::size_t>(end - line.data()));
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
