#include "bench/results.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/base/error.hpp"

namespace tpinfer::bench {

void Results::measure(const std::string& size, const std::vector<Contender>& contenders,
                      const Effort& effort, const Ranks& ranks) {
  size_ = size;
  names_.clear();
  for (const Contender& contender : contenders) names_.push_back(contender.name);
  seconds_ = interleave(contenders, effort, ranks);
}

const std::vector<double>& Results::seconds_of(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) fail(Fault::internal, "nothing was measured as " + name);
  return seconds_[static_cast<std::size_t>(found - names_.begin())];
}

void Results::compare(const std::string& what, const std::string& against, double work) {
  const std::vector<double>&ours = seconds_of(what), &theirs = seconds_of(against);
  Row row{what, against, size_, {}};
  for (std::size_t i = 0; i < ours.size(); ++i) row.ratios.push_back(ours[i] / (theirs[i] * work));
  rows_.push_back(std::move(row));
}

void Results::roof(const std::string& name) { roofs_.push_back({name, size_, seconds_of(name)}); }

std::string Results::json() const {
  nlohmann::ordered_json json{{"rows", nlohmann::ordered_json::array()},
                              {"roofs", nlohmann::ordered_json::array()}};
  for (const Row& row : rows_) {
    json["rows"].push_back(
        {{"what", row.what}, {"against", row.against}, {"size", row.size}, {"ratios", row.ratios}});
  }
  for (const Roof& roof : roofs_) {
    json["roofs"].push_back({{"name", roof.name}, {"size", roof.size}, {"seconds", roof.seconds}});
  }
  return json.dump(1) + "\n";
}

bool is_quick(int argc, char** argv) {
  if (argc == 1) return false;
  if (argc == 2 && std::strcmp(argv[1], "--quick") == 0) return true;
  std::fprintf(stderr, "usage: %s [--quick]\n", argv[0]);
  std::exit(static_cast<int>(Fault::usage));
}

Effort effort_of(bool quick) { return quick ? Effort{3, 0.0002} : Effort{}; }

}  // namespace tpinfer::bench
