// Names to remove when the process ends without its destructors.
#pragma once

#include <string>

namespace tpinfer::shard {

// The place of `path` in the registry; -1 when it is full or the path too long, which only means
// that a killed process may leave the file behind.
int register_temporary(const std::string& path);

// Forgets a place given by register_temporary; -1 is ignored.
void forget_temporary(int place);

}  // namespace tpinfer::shard
