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

std::uint64_t number_in(const std::string& path) {
  std::uint64_t value = 0;
  return std::ifstream(path) >> value ? value : kUnknown;  // "max" means no limit
}

// The value of `key` in a file of lines "key value", or 0.
std::uint64_t entry_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t value = 0;
  while (file >> name >> value) {
    if (name == key) return value;
  }
  return 0;
}

// What one control group has left; a cache of files does not count as used.
std::uint64_t left_in(const std::string& folder, bool version_2) {
  const auto limit = number_in(folder + (version_2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const auto used = number_in(folder + (version_2 ? "/memory.current" : "/memory.usage_in_bytes"));
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  const auto cache =
      entry_of(folder + "/memory.stat", version_2 ? "inactive_file" : "total_inactive_file");
  const std::uint64_t kept = used - std::min(used, cache);
  return limit - std::min(limit, kept);
}

// The least that this process's control groups have left, from its own up to the root. Lines of
// /proc/self/cgroup: "0::/slurm/job7" (version 2), "4:memory:/slurm/job7" (version 1).
std::uint64_t group_available() {
  std::ifstream file("/proc/self/cgroup");
  std::uint64_t least = kUnknown;
  for (std::string line; std::getline(file, line);) {
    const bool version_2 = line.starts_with("0::");
    const std::size_t memory = line.find(":memory:");
    if (!version_2 && memory == line.npos) continue;
    const std::string root = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::string group = line.substr(version_2 ? 3 : memory + 8);
    for (;;) {
      least = std::min(least, left_in(root + group, version_2));
      if (group.empty()) break;
      group.resize(group.rfind('/') == group.npos ? 0 : group.rfind('/'));
    }
  }
  return least;
}

}  // namespace

std::uint64_t available_memory_bytes() { return std::min(system_available(), group_available()); }

void check_memory(std::size_t bytes_per_rank, int ranks_on_node) {
  const std::uint64_t available = available_memory_bytes();
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
  const std::uint64_t available = available_memory_bytes();
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
