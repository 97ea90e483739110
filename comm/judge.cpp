#include "comm/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "comm/activity.hpp"

namespace tpinfer::comm {
namespace {

constexpr const char* kAdvice = "run again or raise --timeout";

bool waits(const Sign& sign) { return sign.report.waiting_for[0] != '\0'; }

std::vector<std::size_t> select(std::span<const Sign> signs, auto&& condition) {
  std::vector<std::size_t> out;
  for (std::size_t r = 0; r < signs.size(); ++r) {
    if (condition(signs[r])) out.push_back(r);
  }
  return out;
}

std::string ranks_text(std::size_t count, const char* others) {
  return fmt::format("{} {}rank{}", count, others, count == 1 ? "" : "s");
}

// "; 3 other ranks wait in all-gather, 1 other rank waits in barrier"; "" when nobody waits.
std::string waiting_text(std::span<const Sign> signs, std::span<const std::size_t> blamed) {
  std::map<std::string, std::size_t> waiting;
  for (std::size_t r = 0; r < signs.size(); ++r) {
    const bool is_blamed = std::find(blamed.begin(), blamed.end(), r) != blamed.end();
    if (!is_blamed && waits(signs[r])) ++waiting[signs[r].report.waiting_for];
  }
  std::string out;
  for (const auto& [what, count] : waiting) {
    out += fmt::format("{} {} {} in {}", out.empty() ? ";" : ",",
                       ranks_text(count, blamed.empty() ? "" : "other "),
                       count == 1 ? "waits" : "wait", what);
  }
  return out;
}

}  // namespace

Report own_report(double still_seconds) {
  Report report;
  report.still_seconds = still_seconds;
  if (const char* what = waiting_for()) {
    std::string_view(what).copy(report.waiting_for, sizeof report.waiting_for - 1);
  }
  current_phase().copy(report.phase, sizeof report.phase - 1);
  return report;
}

std::optional<std::string> judge(std::span<const Sign> signs, std::span<const std::string> hosts,
                                 double limit_seconds) {
  const auto line = [&](std::span<const std::size_t> blamed, const char* what) {
    const std::size_t r = blamed.front();
    const std::string more =
        blamed.size() > 1 ? fmt::format(" (and {})", ranks_text(blamed.size() - 1, "other ")) : "";
    const std::string_view phase = signs[r].report.phase;  // empty before the first report
    return fmt::format("rank {} on {}{} {} {:g} s{}{}; {}", r, hosts[r], more, what, limit_seconds,
                       phase.empty() ? "" : fmt::format(" ({})", phase),
                       waiting_text(signs, blamed), kAdvice);
  };

  const auto silent =
      select(signs, [&](const Sign& s) { return s.silent_seconds >= limit_seconds; });
  if (!silent.empty()) return line(silent, "is stopped or cut off: no sign of life for");

  const auto hung = select(
      signs, [&](const Sign& s) { return !waits(s) && s.report.still_seconds >= limit_seconds; });
  if (!hung.empty()) return line(hung, "has not moved for");

  const bool all_wait = std::all_of(signs.begin(), signs.end(), [&](const Sign& s) {
    return waits(s) && s.report.still_seconds >= limit_seconds;
  });
  if (!all_wait || signs.empty()) return {};
  return fmt::format("no rank has moved for {:g} s ({}){}; {}", limit_seconds,
                     signs[0].report.phase, waiting_text(signs, {}), kAdvice);
}

}  // namespace tpinfer::comm
