// A child process that cannot outlive us.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "launch/instances/descriptor.hpp"

namespace tpinfer::launch {

struct ChildSpec {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=VALUE, on top of ours
  std::vector<int> cores;                // its affinity mask; empty = ours
  std::string output, errors;            // files to append to; "" = a pipe to us
  bool has_input = false;                // a pipe from us; else /dev/null
};

struct Child {
  pid_t pid = -1;
  Descriptor in, out, err;  // our ends; `in` does not block
};

// Starts it in a process group of its own, with no signal blocked or ignored. When this process
// dies, however it does, the child gets SIGTERM. Throws Fault::no_input when the program cannot be
// started, Fault::cannot_create for a file, Fault::memory when the system has no more processes.
Child start_child(const ChildSpec& spec);

}  // namespace tpinfer::launch
