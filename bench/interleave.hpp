// Times several ways to do one job so that they can be compared on a machine that is not quiet:
// every round measures each of them, one after another, and only ratios within a round count.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tpinfer::bench {

// One way to do the job.
struct Contender {
  std::string name;
  std::function<void()> call;
};

struct Effort {
  int rounds = 11;
  double least_seconds = 0.005;  // calls are repeated until a measurement lasts as long
};

// With several ranks a measurement begins on all at once, and the slowest counts.
struct Ranks {
  std::function<void()> meet = [] {};
  std::function<double(double)> slowest = [](double seconds) { return seconds; };
};

// Seconds per call, [contender][round]. Each contender is called first until the caches and pages
// are warm; the order changes from round to round. Collective if `ranks` is.
//   contenders a, b, c:   round 0  a b c   round 1  b c a   round 2  c a b ...
std::vector<std::vector<double>> interleave(const std::vector<Contender>& contenders,
                                            const Effort& effort, const Ranks& ranks = {});

}  // namespace tpinfer::bench
