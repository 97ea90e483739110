// What a benchmark program hands to scripts/bench: per-round ratios as JSON on stdout. The
// statistics are made there, in one place for all programs.
#pragma once

#include <string>
#include <vector>

#include "bench/interleave.hpp"

namespace tpinfer::bench {

// A job, timed in rounds with the names of interleave's contenders.
class Results {
 public:
  // Runs the rounds; later compare() calls speak of these contenders at this size.
  void measure(const std::string& size, const std::vector<Contender>& contenders,
               const Effort& effort, const Ranks& ranks = {});

  // One row of the table: the time of `what` over the time of `against`, per round. `work` is how
  // often `against` must be done for the same work (bytes or operations of one over the other's).
  void compare(const std::string& what, const std::string& against, double work = 1);

  // `name` measures the machine and not us: its spread says whether the run can be trusted.
  void roof(const std::string& name);

  // {"rows": [{"what", "against", "size", "ratios"}], "roofs": [{"name", "size", "seconds"}]}
  std::string json() const;

 private:
  struct Row {
    std::string what, against, size;
    std::vector<double> ratios;
  };
  struct Roof {
    std::string name, size;
    std::vector<double> seconds;
  };

  const std::vector<double>& seconds_of(const std::string& name) const;

  std::string size_;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> seconds_;
  std::vector<Row> rows_;
  std::vector<Roof> roofs_;
};

// The one argument of a benchmark program: --quick measures small sizes in a few short rounds, to
// see that all works. Prints the usage and ends with 64 on anything else.
bool is_quick(int argc, char** argv);

Effort effort_of(bool quick);

}  // namespace tpinfer::bench
