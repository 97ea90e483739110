// Nested lists of numbers as they come out of JSON, kept flat.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/view.hpp"

namespace tpinfer::launch {

// Built element by element, as a parser meets them; a number without any list is a scalar. The
// first thing that is wrong is kept in problem(), and what follows is ignored.
//   [[1,2],[3,4]]  ->  shape (2,2), numbers 1 2 3 4
class NestedList {
 public:
  void open();
  void close();
  void integer(std::int64_t value);
  void large_integer(std::uint64_t value);  // beyond int64
  void real(const std::string& text);       // as it stands in the JSON
  void boolean(bool value);
  void reject(std::string problem);

  // "ragged list: ...", "a list that mixes ..."; "" when all is well.
  const std::string& problem() const { return problem_; }
  Shape shape() const { return extents_; }

  // Writes the elements to `out`, which has their number and any shape. An integer serves as a
  // float where float32 holds it exactly, a float never as an integer; floats are rounded to the
  // nearest float32. Throws Fault::data naming the kinds, or the element that does not fit.
  void copy_to(const View& out) const;

 private:
  enum class Kind : std::uint8_t { none, integers, reals, booleans };

  bool element(Kind kind);
  void push_real(std::int64_t value);

  std::vector<std::int64_t> counts_;   // of the lists that are open
  std::vector<std::int64_t> extents_;  // by dimension; -1 = no list there has ended yet
  int leaf_depth_ = -1;                // how deep numbers stand
  Kind kind_ = Kind::none;
  std::vector<std::int64_t> integers_;  // also booleans
  std::vector<float> reals_;
  std::string inexact_;  // the first integer that float32 does not hold
  std::string problem_;
};

}  // namespace tpinfer::launch
