// The end of a process that cannot leave through main: one line, and nothing left behind.
#pragma once

#include <functional>
#include <string_view>

namespace tpinfer::comm {

// Writes "tpinfer: <text>\n" to stderr with one write(2), so that lines of ranks do not mix. Safe
// from any thread; line breaks inside `text` become blanks.
void say(std::string_view text);

// Something to undo when the run is aborted (a temporary file to remove); a run that ends well
// does not call it. Lives until removed. `undo` may be called from any thread while the main
// thread hangs anywhere: it must not take locks that the main thread holds, and not wait.
int add_cleanup(std::function<void()> undo);
void remove_cleanup(int handle);

// Calls what has been added, the newest first, and forgets it. Exceptions are swallowed.
void run_cleanups() noexcept;

}  // namespace tpinfer::comm
