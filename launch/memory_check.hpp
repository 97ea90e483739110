// Whether the machine has what a run needs, before anything is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpinfer::launch {

// Throws Fault::memory, naming both figures, when `bytes_per_rank` on each of the node's ranks is
// more than the system (or the control group) says is available. Local.
void check_memory(std::size_t bytes_per_rank, int ranks_on_node);

// Memory that the system, or this process's control group, has left.
std::uint64_t available_memory_bytes();

// check_memory() for `bytes` of this process alone: `what` begins the message.
void check_own_memory(const std::string& what, std::size_t bytes);

// The most memory that this process ever had resident; 0 where the system does not say.
std::size_t peak_resident_bytes();

}  // namespace tpinfer::launch
