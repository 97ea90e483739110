// The end of the whole run from any rank and any thread, when ranks can no longer agree.
#pragma once

#include <string_view>

#include "kernels/base/error.hpp"

namespace tpinfer::comm {

// Says `tpinfer: <text>`, runs the cleanups (last_words.hpp), ends all ranks by MPI_Abort with the
// fault as exit code, and this process at the latest after five seconds. Without MPI, or before and
// after its life, only this process. Nothing is said when `text` is empty.
[[noreturn]] void abort_run(Fault fault, std::string_view text) noexcept;

// From now on what nobody catches (in a thread, a destructor, before main) ends the run by
// abort_run(): Fault::memory for std::bad_alloc, an Error's own fault, else Fault::internal.
void abort_on_terminate() noexcept;

}  // namespace tpinfer::comm
