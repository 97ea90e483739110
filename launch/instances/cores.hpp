// Cores of this host, and how instances share them.
#pragma once

#include <string>
#include <vector>

namespace tpinfer::launch {

// The cores of this process's affinity mask; hardware threads of one core, and cores of one
// socket, stand beside each other. Throws Fault::internal when the system does not say.
std::vector<int> allowed_cores();

// "0-3,7": those cores, in that order. Throws Fault::usage when the text is no list of cores, names
// one twice, or one that is not in `allowed`.
std::vector<int> parse_cores(const std::string& text, const std::vector<int>& allowed);

// Part i of `cores` for instance i, as equal as they come. More instances than cores share them:
// instance i gets core i modulo the cores.
//   {0,1,2}, 2 instances -> {0} {1,2}       {5}, 2 instances -> {5} {5}
std::vector<std::vector<int>> divide_cores(const std::vector<int>& cores, int instances);

// "0-3,7".
std::string cores_text(std::vector<int> cores);

}  // namespace tpinfer::launch
