#include "launch/job/stop_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

const Clock::time_point process_start = Clock::now();
constexpr double kAutoMarginSeconds = 30;
constexpr double kMostSeconds = 1e9;  // 31 years are as good as never
constexpr const char* kAuto = "auto";

double number(const std::ssub_match& match) { return match.matched ? std::stod(match.str()) : 0; }

// "auto-2m" -> "2m"; "auto" -> "".
std::string margin_of(const std::string& text) { return text.size() > 5 ? text.substr(5) : ""; }

bool is_auto(const std::string& text) { return text == kAuto || text.starts_with("auto-"); }

double seconds_to_job_end() {
  const char* end = std::getenv("SLURM_JOB_END_TIME");
  char* rest = nullptr;
  const double seconds = end ? std::strtod(end, &rest) : 0;
  if (!end || rest == end || *rest != '\0' || !(seconds > 0)) {
    fail(Fault::config,
         fmt::format("--stop-after auto: SLURM_JOB_END_TIME is {}; give the time that is left: "
                     "--stop-after $(squeue -h -j $SLURM_JOB_ID -o %L)",
                     end ? fmt::format("\"{}\"", end) : "not set"));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::min(kMostSeconds, seconds - Seconds(now).count());
}

}  // namespace

double parse_duration(const std::string& option, const std::string& text) {
  static const std::regex units(
      "(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?"
      "(?:([0-9]{1,6}(?:\\.[0-9]{1,6})?)s)?");
  static const std::regex clock("(?:(?:([0-9]{1,6})-)?([0-9]{1,6}):)?([0-9]{1,6}):([0-9]{2})");
  std::smatch match;
  if (text.empty() || text.size() > 40 ||
      !(std::regex_match(text, match, units) || std::regex_match(text, match, clock))) {
    fail(Fault::usage, fmt::format("{}: \"{}\" is no duration; write 90s, 25m, 3h30m or HH:MM:SS",
                                   option, text.substr(0, 40)));
  }
  return std::min(
      kMostSeconds,
      ((number(match[1]) * 24 + number(match[2])) * 60 + number(match[3])) * 60 + number(match[4]));
}

void check_stop_after(const std::string& text) {
  if (text.empty() || text == kAuto) return;
  parse_duration("--stop-after", is_auto(text) ? margin_of(text) : text);
}

StopTime::StopTime(const std::string& stop_after) {
  if (stop_after.empty()) return;
  if (!is_auto(stop_after)) {
    end_ = process_start + std::chrono::duration_cast<Clock::duration>(
                               Seconds(parse_duration("--stop-after", stop_after)));
    return;
  }
  const std::string margin = margin_of(stop_after);
  const double left =
      seconds_to_job_end() -
      (margin.empty() ? kAutoMarginSeconds : parse_duration("--stop-after", margin));
  end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(left));
}

void StopTime::begin_batch() {
  const Clock::time_point now = Clock::now();
  if (began_) slowest_seconds_ = std::max(slowest_seconds_, Seconds(now - *began_).count());
  began_ = now;
}

bool StopTime::too_late(double save_seconds) const {
  return end_ && Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                    Seconds(slowest_seconds_ + save_seconds)) >=
                     *end_;
}

}  // namespace tpinfer::launch
