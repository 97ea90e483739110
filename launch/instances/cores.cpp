#include "launch/instances/cores.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <tuple>

#include "kernels/base/box.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

// A number of /sys/devices/system/cpu/cpuN/topology; 0 where the system does not say.
int topology(int core, const char* what) {
  int value = 0;
  std::ifstream(fmt::format("/sys/devices/system/cpu/cpu{}/topology/{}", core, what)) >> value;
  return value;
}

[[noreturn]] void malformed(const std::string& text) {
  fail(Fault::usage, fmt::format("--cores {}: write a list of cores such as 0-3,7", text));
}

int number(std::string_view digits, const std::string& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < 0) malformed(text);
  return value;
}

}  // namespace

std::vector<int> allowed_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) {
    fail(Fault::internal, "the system does not say which cores this process may use");
  }
  std::vector<std::tuple<int, int, int>> places;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &mask)) continue;
    places.emplace_back(topology(core, "physical_package_id"), topology(core, "core_id"), core);
  }
  std::sort(places.begin(), places.end());
  std::vector<int> cores;
  for (const auto& place : places) cores.push_back(std::get<2>(place));
  return cores;
}

std::vector<int> parse_cores(const std::string& text, const std::vector<int>& allowed) {
  std::vector<int> cores;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view piece = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = piece.find('-');
    const int first = number(piece.substr(0, dash), text);
    const int last = dash == piece.npos ? first : number(piece.substr(dash + 1), text);
    if (last < first || last >= CPU_SETSIZE) malformed(text);
    for (int core = first; core <= last; ++core) {
      if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
        fail(Fault::usage, fmt::format("--cores {}: core {} is not among those that this process "
                                       "may use, {}",
                                       text, core, cores_text(allowed)));
      }
      if (std::find(cores.begin(), cores.end(), core) != cores.end()) {
        fail(Fault::usage, fmt::format("--cores {}: core {} stands there twice", text, core));
      }
      cores.push_back(core);
    }
    begin = end + 1;
  }
  return cores;
}

std::vector<std::vector<int>> divide_cores(const std::vector<int>& cores, int instances) {
  const auto count = static_cast<std::int64_t>(cores.size());
  std::vector<std::vector<int>> parts;
  for (int i = 0; i < instances; ++i) {
    if (instances > count) {
      parts.push_back({cores[static_cast<std::size_t>(i % count)]});
      continue;
    }
    const Range part = split(count, instances, i);
    parts.emplace_back(cores.begin() + part.begin, cores.begin() + part.end);
  }
  return parts;
}

std::string cores_text(std::vector<int> cores) {
  std::sort(cores.begin(), cores.end());
  std::string text;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t last = i;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cores[i]);
    if (last > i) text += fmt::format("-{}", cores[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace tpinfer::launch
