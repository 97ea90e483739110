#include "launch/memory_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();

// "MemAvailable:   16316412 kB" of /proc/meminfo.
std::uint64_t system_available() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t value = 0;
  while (file >> key >> value) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return value * 1024;
  }
  return kUnknown;
}

// What the control group has left (version 2); "max" means no limit.
std::uint64_t group_available() {
  std::uint64_t limit = 0, used = 0;
  std::ifstream("/sys/fs/cgroup/memory.max") >> limit;
  std::ifstream("/sys/fs/cgroup/memory.current") >> used;
  return limit == 0 ? kUnknown : limit - std::min(limit, used);
}

}  // namespace

void check_memory(std::size_t bytes_per_rank, int ranks_on_node) {
  const std::uint64_t available = std::min(system_available(), group_available());
  const auto ranks = static_cast<std::uint64_t>(ranks_on_node);
  if (bytes_per_rank <= available / ranks) return;
  fail(Fault::memory,
       fmt::format("{} per rank on {} ranks of this node, {} available; use more "
                   "nodes or a smaller --batch-size",
                   bytes_text(bytes_per_rank), ranks_on_node, bytes_text(available)));
}

void check_own_memory(const std::string& what, std::size_t bytes) {
  constexpr std::size_t kAlwaysThere = std::size_t{16} << 20;  // no need to look
  if (bytes <= kAlwaysThere) return;
  const std::uint64_t available = std::min(system_available(), group_available());
  if (bytes <= available) return;
  fail(Fault::memory,
       fmt::format("{}: {} wanted, {} available", what, bytes_text(bytes), bytes_text(available)));
}

// "VmHWM:     12345 kB" of /proc/self/status.
std::size_t peak_resident_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

}  // namespace tpinfer::launch
