// When is a run hung, and who hangs? Pure: no clock, no MPI.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tpinfer::comm {

// What a rank tells of itself; crosses the wire as raw bytes.
struct Report {
  double still_seconds = 0;   // since its heartbeat count last moved
  std::int32_t last = 0;      // 1: its watchdog ends orderly, nothing follows
  char waiting_for[24] = {};  // "" when it does not wait for others
  char phase[64] = {};
};

// The report of this process; texts are cut to fit.
Report own_report(double still_seconds);

struct Sign {
  Report report;
  double silent_seconds = 0;  // since the report arrived
};

// One line that says who hangs when the run must end, else nothing. `signs` and `hosts` are by
// rank. The run must end when a rank
//   - has been silent for the limit: it is stopped, lost or cut off;
//   - has not moved for the limit and does not wait for others: it hangs;
// or when all ranks wait and none has moved for the limit: they wait for each other. A rank that
// waits, however long, is never to blame while another one moves.
std::optional<std::string> judge(std::span<const Sign> signs, std::span<const std::string> hosts,
                                 double limit_seconds);

}  // namespace tpinfer::comm
