#include "launch/requests/stdin_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

namespace tpinfer::launch {

void widen_stdin_pipe() {
  int most = 0;
  if (!(std::ifstream("/proc/sys/fs/pipe-max-size") >> most)) return;
  // Fails, and changes nothing, where stdin is no pipe or its owner has many large ones.
  if (fcntl(STDIN_FILENO, F_GETPIPE_SZ) < most) fcntl(STDIN_FILENO, F_SETPIPE_SZ, most);
}

}  // namespace tpinfer::launch
