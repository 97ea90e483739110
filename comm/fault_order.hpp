// What TPINFER_FAULT asks for: text into orders, and which order a visit meets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tpinfer::comm {

struct FaultAction {
  std::string name;
  int milliseconds = 0;  // of slow
};

class FaultOrder {
 public:
  // Throws Fault::usage. `rank` is this process's among `ranks`.
  FaultOrder(std::string_view text, int rank, int ranks);

  // Counts a visit of the site; the action that is due, or nothing.
  std::optional<FaultAction> visit(std::string_view site);
  // Of this site, so far.
  int visits(std::string_view site) const;

 private:
  void parse_one(std::string_view text);
  void parse_random(std::string_view text);
  std::uint64_t draw(std::string_view site, int visit, int purpose) const;
  bool is_faulty(int ranks) const;

  int rank_;
  std::map<std::string, int, std::less<>> visits_;
  std::string site_;            // "*": any
  std::optional<int> of_rank_;  // empty: every rank
  std::optional<int> nth_;      // empty: every time
  std::vector<FaultAction> actions_;
  std::optional<std::uint64_t> seed_;  // set in the random form
  bool faulty_ = true;
};

}  // namespace tpinfer::comm
