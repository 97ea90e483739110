// tpinfer --doctor: looks at how it was started and says what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "launch/options.hpp"

namespace tpinfer::launch {

// Starts MPI by itself, gathers what all ranks see, and prints on rank 0 one line per finding on
// stdout, with its verdict (ok, warning, problem) and its remedy. Returns 0, or 78 when there is a
// problem. Where MPI cannot serve (another launcher's processes), the first of them tells what it
// sees by itself. Collective; call it instead of starting a Session.
int run_doctor(const Options& options);

// What an ordinary run says about its launch: a line per warning, usually none. Local.
std::vector<std::string> launch_warnings(int ranks);

}  // namespace tpinfer::launch
